//! What the pods may do to their node (Pod Security Standards, «restricted», and more).

use serde_json::{Value, json};

use crate::helm::{self, of_kind, one, rendered};
use crate::sets::SETS;

#[test]
fn a_pod_is_nobody_and_writes_nowhere() {
    if !helm::is_there() {
        return;
    }
    for (name, values) in SETS {
        for deployment in of_kind(&rendered(values), "Deployment") {
            let pod = &deployment["spec"]["template"]["spec"];
            assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{name}");
            assert!(pod["securityContext"]["runAsUser"].as_u64().unwrap() > 0, "{name}");
            for key in ["hostNetwork", "hostPID", "hostIPC", "initContainers"] {
                assert_eq!(pod[key], Value::Null, "{name}: {key}");
            }
            for container in pod["containers"].as_array().unwrap() {
                let security = &container["securityContext"];
                assert_eq!(security["readOnlyRootFilesystem"], true, "{name}");
                assert_eq!(security["allowPrivilegeEscalation"], false, "{name}");
                assert_eq!(security["capabilities"], json!({"drop": ["ALL"]}), "{name}");
                assert_eq!(security["seccompProfile"]["type"], "RuntimeDefault", "{name}");
                assert!(container["resources"]["limits"]["memory"].is_string(), "{name}");
                for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
                    assert_eq!(container[probe]["httpGet"]["port"], "admin", "{name}: {probe}");
                }
            }
        }
    }
}

#[test]
fn nothing_of_the_node_is_mounted_and_only_the_state_can_be_written() {
    if !helm::is_there() {
        return;
    }
    for (name, values) in SETS {
        for deployment in of_kind(&rendered(values), "Deployment") {
            let pod = &deployment["spec"]["template"]["spec"];
            for volume in pod["volumes"].as_array().unwrap() {
                assert_eq!(volume["hostPath"], Value::Null, "{name}");
            }
            for mount in pod["containers"][0]["volumeMounts"].as_array().unwrap() {
                let written = mount["readOnly"] != true;
                assert_eq!(written, mount["name"] == "state", "{name}: {mount}");
            }
        }
    }
}

#[test]
fn a_gateway_has_no_token() {
    if !helm::is_there() {
        return;
    }
    for (name, values) in SETS {
        let objects = rendered(values);
        let pod = &one(&objects, "Deployment", "-gateway")["spec"]["template"]["spec"];
        assert_eq!(pod["automountServiceAccountToken"], false, "{name}");
        let account = one(&objects, "ServiceAccount", "-gateway");
        assert_eq!(account["automountServiceAccountToken"], false, "{name}");
        assert_eq!(account["metadata"]["name"], pod["serviceAccountName"], "{name}");
    }
}
