//! The directory: which instances there are, on whatever machine, that containers find by private names.
//!
//! It is made by the machine that controls and told whole to all others; at which address an instance is from
//! each of them, each knows by itself.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{AppName, ContainerId, NodeName, ProcessName};

/// All apps, and what of them can be found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Directory(pub BTreeMap<AppName, Listing>);

/// What of an app can be found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Listing {
    /// Other apps whose containers find and reach its instances.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub allow: BTreeSet<AppName>,
    /// Its instances that run.
    pub instances: BTreeMap<ContainerId, Listed>,
}

/// An instance that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// What it is one of.
    pub process: ProcessName,
    /// Where it takes connections, if it does.
    pub port: Option<u16>,
    /// Whether names lead to it. One that is to go is reached for as long as somebody may remember its
    /// address.
    pub named: bool,
    /// The machine that has it; `None` if it is not said, and then it is the one that controls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<NodeName>,
}

impl Directory {
    /// The machine that has an instance; `None` if none is known to.
    pub fn node_of(&self, id: &ContainerId) -> Option<&NodeName> {
        let listed = self.0.values().find_map(|listing| listing.instances.get(id));
        listed.and_then(|listed| listed.node.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOLDEN: &str = r#"{"shop":{"allow":["bank"],"instances":{"3f9a":{"process":"web","port":8080,"named":true}}}}"#;
    const WITH_NODES: &str = r#"{"shop":{"instances":{"3f9a":{"process":"web","port":8080,"named":true},"77c0":{"process":"web","port":8080,"named":true,"node":"edge-1"}}}}"#;

    #[test]
    fn what_machines_of_neighbouring_versions_tell_each_other_stays() {
        for golden in [GOLDEN, WITH_NODES] {
            let directory: Directory = serde_json::from_str(golden).unwrap();
            assert_eq!(serde_json::to_string(&directory).unwrap(), golden);
        }
        assert!(serde_json::from_str::<Directory>(r#"{"shop":{}}"#).is_ok());
    }

    #[test]
    fn it_says_which_node_has_an_instance() {
        let directory: Directory = serde_json::from_str(WITH_NODES).unwrap();
        let node = |id: &str| directory.node_of(&ContainerId(id.to_owned())).map(NodeName::as_str);
        assert_eq!([node("3f9a"), node("77c0"), node("0000")], [None, Some("edge-1"), None]);
    }
}
