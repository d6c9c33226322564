//! Names to addresses, by the system's configuration (`/etc/resolv.conf`, `/etc/hosts`), cached as long as the answers
//! allow. It judges nothing; see `guard`.

use std::net::IpAddr;
use std::time::Duration;

use domain::outcome::Failure;
use futures::future::BoxFuture;
use hickory_resolver::config::LookupIpStrategy;
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::{ResolverBuilder, TokioResolver};

const NAMES_CACHED_MAX: u64 = 4_096;
/// A name with more is refused; no ordinary receiver has as many.
const ADDRESSES_MAX: usize = 64;
/// Of one query to one server, so that a second fits into an attempt.
const QUERY_TIMEOUT: Duration = Duration::from_secs(3);
/// However short-lived an answer says it is: one look-up serves a burst.
const TTL_MIN: Duration = Duration::from_secs(1);
/// However long-lived an answer says it is: a receiver that moved is found again.
const TTL_MAX: Duration = Duration::from_secs(300);
/// A name that did not exist is asked for again soon: its owner may just have made it.
const NEGATIVE_TTL_MAX: Duration = Duration::from_secs(5);

/// Where names are looked up.
pub(super) trait Names: Send + Sync {
    fn look_up<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, Failure>>;
}

/// The system's name servers and hosts file.
pub(super) struct SystemNames {
    /// `None`: the system's configuration cannot be used, so that every name fails until a restart.
    resolver: Option<TokioResolver>,
}

impl SystemNames {
    pub(super) fn new() -> Self {
        let resolver = TokioResolver::builder_tokio()
            .and_then(tuned)
            .inspect_err(|fault| tracing::error!(%fault, "the system's DNS configuration cannot be used"))
            .ok();
        Self { resolver }
    }

    /// One name server of a test instead of the system's, asked in the same way.
    #[cfg(test)]
    pub(super) fn of_server(address: std::net::SocketAddr) -> Self {
        use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};

        let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
            connection.port = address.port();
            connection
        });
        let server = NameServerConfig::new(address.ip(), true, connections.into());
        let config = ResolverConfig::from_name_servers(vec![server]);
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        builder.options_mut().use_hosts_file = ResolveHosts::Never;
        Self { resolver: Some(tuned(builder).unwrap()) }
    }

    /// As if the time to live of every answer were over.
    #[cfg(test)]
    pub(super) fn forget(&self) {
        self.resolver.as_ref().unwrap().clear_cache();
    }
}

fn tuned(mut builder: ResolverBuilder<TokioRuntimeProvider>) -> Result<TokioResolver, NetError> {
    let options = builder.options_mut();
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.timeout = QUERY_TIMEOUT;
    options.attempts = 1;
    options.cache_size = NAMES_CACHED_MAX;
    options.positive_min_ttl = Some(TTL_MIN);
    options.positive_max_ttl = Some(TTL_MAX);
    options.negative_max_ttl = Some(NEGATIVE_TTL_MAX);
    builder.build()
}

impl Names for SystemNames {
    fn look_up<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, Failure>> {
        Box::pin(async move {
            let Some(resolver) = &self.resolver else {
                return Err(Failure::Dns("the look-up failed".to_owned()));
            };
            // The dot at the end keeps the system's search domains out of a customer's name.
            let answer = resolver.lookup_ip(format!("{name}.")).await.map_err(|fault| failure(&fault))?;
            let ips: Vec<IpAddr> = answer.iter().collect();
            if ips.len() > ADDRESSES_MAX {
                return Err(Failure::Dns("the name has too many addresses".to_owned()));
            }
            Ok(ips)
        })
    }
}

fn failure(fault: &NetError) -> Failure {
    let why = match fault {
        fault if fault.is_nx_domain() => "there is no such name",
        fault if fault.is_no_records_found() => "the name has no address",
        NetError::Timeout => "its name servers did not answer in time",
        _ => "the look-up failed",
    };
    Failure::Dns(why.to_owned())
}
