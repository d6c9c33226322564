//! How many connections each address has, so that one client cannot take them all. What a request says of itself, such as
//! `x-forwarded-for`, counts for nothing.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use domain::limits::CONNECTIONS_PER_ADDRESS_DEFAULT;
use parking_lot::Mutex;

/// Shared by the listeners of one server.
#[derive(Debug)]
pub(crate) struct Addresses {
    setting: Option<usize>,
    /// As large as there are connections.
    counts: Mutex<HashMap<IpAddr, Count>>,
}

#[derive(Debug, Default)]
struct Count {
    connections: usize,
    /// Said in the log once, until the address has no connection left.
    is_reported: bool,
}

/// One connection's share of its address; dropping gives it back.
#[derive(Debug)]
pub(crate) struct Share {
    addresses: Arc<Addresses>,
    whose: IpAddr,
}

impl Addresses {
    /// `None`: the default for others, and no bound for this machine's own, where a proxy brings everybody.
    pub(crate) fn new(setting: Option<usize>) -> Self {
        Self { setting, counts: Mutex::default() }
    }

    /// `None`: the address has as many as it may.
    pub(crate) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Share> {
        let whose = counted_as(address);
        let mut counts = self.counts.lock();
        let count = counts.entry(whose).or_default();
        if count.connections >= self.max_of(whose) {
            if !std::mem::replace(&mut count.is_reported, true) {
                tracing::warn!(
                    address = %whose,
                    connections = count.connections,
                    "an address has as many connections as it may; more are closed (connections_per_address)"
                );
            }
            return None;
        }
        count.connections += 1;
        Some(Share { addresses: Arc::clone(self), whose })
    }

    fn max_of(&self, whose: IpAddr) -> usize {
        let default = if whose.is_loopback() { usize::MAX } else { CONNECTIONS_PER_ADDRESS_DEFAULT };
        self.setting.unwrap_or(default)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut counts = self.addresses.counts.lock();
        if let Some(count) = counts.get_mut(&self.whose) {
            count.connections -= 1;
            if count.connections == 0 {
                counts.remove(&self.whose);
            }
        }
    }
}

/// A customer of IPv6 has a whole /64 to choose from.
fn counted_as(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)))
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entered(addresses: &Arc<Addresses>, address: &str, wanted: usize) -> Vec<Share> {
        (0..wanted).filter_map(|_| addresses.enter(address.parse().unwrap())).collect()
    }

    #[test]
    fn one_address_gets_its_share_and_gives_it_back() {
        let addresses = Arc::new(Addresses::new(Some(3)));
        let mut shares = entered(&addresses, "203.0.113.7", 5);
        assert_eq!(shares.len(), 3);
        assert_eq!(entered(&addresses, "::ffff:203.0.113.7", 1).len(), 0, "the same in another spelling");
        assert_eq!(entered(&addresses, "203.0.113.8", 5).len(), 3);
        shares.pop();
        assert_eq!(entered(&addresses, "203.0.113.7", 5).len(), 1);
        drop(shares);
        assert!(addresses.counts.lock().is_empty(), "who has no connection is not remembered");
    }

    #[test]
    fn an_ipv6_client_is_its_64_bits() {
        let addresses = Arc::new(Addresses::new(Some(2)));
        let _shares = [entered(&addresses, "2001:db8:1::1", 1), entered(&addresses, "2001:db8:1::2", 1)];
        assert!(addresses.enter("2001:db8:1:0:ffff::3".parse().unwrap()).is_none());
        assert!(addresses.enter("2001:db8:1:1::3".parse().unwrap()).is_some());
    }

    #[test]
    fn unless_it_is_set_this_machine_has_no_bound() {
        let addresses = Arc::new(Addresses::new(None));
        let wanted = CONNECTIONS_PER_ADDRESS_DEFAULT + 1;
        assert_eq!(entered(&addresses, "127.0.0.1", wanted).len(), wanted);
        assert_eq!(entered(&addresses, "203.0.113.7", wanted).len(), wanted - 1);
    }
}
