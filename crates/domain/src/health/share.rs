//! A bound that several nodes keep together: each keeps its share and asks nobody.

/// Of attempts at once to one endpoint. Rounded up, since a node that may send nothing would hold what only it has: all together
/// keep the bound where it can be divided, and exceed it by less than one for each node where not.
pub fn share_of(limit: usize, nodes: usize) -> usize {
    limit.div_ceil(nodes.max(1))
}
