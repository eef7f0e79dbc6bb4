//! The policy: what every container of ours may and may not do. Pure: spec → request.
//!
//! An app is not trusted: no capabilities but binding low ports, no new privileges, bounded memory,
//! processes, files and logs. There is no way around these defaults, for anybody.

use std::{collections::HashMap, net::IpAddr};

use bollard::models::{
    ContainerCreateBody, HostConfig, HostConfigLogConfig, Mount, MountType, ResourcesUlimits,
    RestartPolicy, RestartPolicyNameEnum,
};

use super::{DockerSettings, InstallationId, label, volume};
use crate::{
    engine::{Access, BuilderSpec, Handed, InstanceSpec, Root},
    model::{ByteSize, Privileges, process::Limits},
};

/// The container of an instance, which asks these resolvers, or Docker's own choice if there are none.
pub(super) fn instance(
    settings: &DockerSettings,
    spec: &InstanceSpec,
    resolvers: &[IpAddr],
) -> ContainerCreateBody {
    let installation = &settings.installation;
    let own_names = !resolvers.is_empty();
    ContainerCreateBody {
        image: Some(spec.image.to_string()),
        entrypoint: Some(entrypoint(spec)),
        env: Some(environment(spec)),
        // `_` is allowed in a process's name and not in a host's.
        hostname: Some(format!("{}-{}", spec.slot.process, spec.slot.index).replace('_', "-")),
        labels: Some(label::of_instance(installation, spec)),
        host_config: Some(HostConfig {
            network_mode: Some(label::app_network(installation, &spec.app)),
            cap_add: Some(capabilities(spec.process.privileges)),
            mounts: mounts(installation, spec),
            // `shop` is `shop.internal`, if it is anything.
            dns_search: own_names.then(|| vec!["internal".to_owned()]),
            dns: own_names.then(|| resolvers.iter().map(IpAddr::to_string).collect()),
            ..confined(settings, &spec.process.limits)
        }),
        ..Default::default()
    }
}

/// The container of a build: confined as an instance is, without the one capability, and with the
/// folders it works on.
pub(super) fn builder(settings: &DockerSettings, spec: &BuilderSpec) -> ContainerCreateBody {
    let installation = &settings.installation;
    let limits = Limits { memory: spec.memory, cpu_millis: Some(spec.cpu_millis), pids: spec.pids };
    ContainerCreateBody {
        image: Some(spec.image.to_string()),
        entrypoint: Some(spec.command.clone()),
        user: Some(spec.user.clone()),
        env: Some(spec.environment.iter().map(|(key, value)| format!("{key}={value}")).collect()),
        labels: Some(label::of_builder(installation, spec)),
        host_config: Some(HostConfig {
            network_mode: Some(label::build_network(installation)),
            mounts: Some(spec.mounts.iter().map(mount).collect()),
            // What a build writes is in the folders that are watched, or in its memory.
            readonly_rootfs: Some(true),
            tmpfs: Some(
                ["/tmp", "/var/tmp"].map(|folder| (folder.to_owned(), BUILD_TMP.to_owned())).into(),
            ),
            // The agent is the first process: it ends what a build leaves running, and reaps it.
            init: Some(false),
            ..confined(settings, &limits)
        }),
        ..Default::default()
    }
}

/// The container in which a root filesystem is made. Its script is ours and the image is the one
/// that all apps begin with, so it may be root; it has what installing packages takes and no more.
pub(super) fn root(settings: &DockerSettings, image: &str, root: &Root) -> ContainerCreateBody {
    let installation = &settings.installation;
    let limits = Limits { memory: ROOT_MEMORY, cpu_millis: None, pids: ROOT_PIDS };
    ContainerCreateBody {
        image: Some(image.to_owned()),
        entrypoint: Some(["/bin/sh", "-c", &root.script].map(str::to_owned).to_vec()),
        user: Some("0:0".to_owned()),
        labels: Some(label::of_root(installation)),
        host_config: Some(HostConfig {
            network_mode: Some(label::build_network(installation)),
            cap_add: Some(INSTALLING.map(str::to_owned).to_vec()),
            // Docker's init would stay in the exported files as an empty one.
            init: Some(false),
            ..confined(settings, &limits)
        }),
        ..Default::default()
    }
}

/// The same with a folder of this machine, into which the script writes.
pub(super) fn changed_root(
    settings: &DockerSettings,
    image: &str,
    root: &Root,
) -> ContainerCreateBody {
    let mut body = self::root(settings, image, root);
    let (source, target) = (root.into.clone(), "/out".to_owned());
    let out = crate::engine::Mount { source, target, access: Access::ReadWrite };
    if let Some(host) = &mut body.host_config {
        host.mounts = Some(vec![mount(&out)]);
    }
    body
}

/// What holds for all of them alike.
fn confined(settings: &DockerSettings, limits: &Limits) -> HostConfig {
    let open_files = i64::try_from(settings.open_files).unwrap_or(i64::MAX);
    let memory = i64::try_from(limits.memory.0).unwrap_or(i64::MAX);
    HostConfig {
        cap_drop: Some(vec!["ALL".to_owned()]),
        security_opt: Some(vec!["no-new-privileges".to_owned()]),
        pids_limit: Some(i64::from(limits.pids)),
        memory: Some(memory),
        // Equal to the memory: no swap. A swapping app is slower than a restarted one.
        memory_swap: Some(memory),
        nano_cpus: limits.cpu_millis.map(|millis| i64::from(millis) * 1_000_000),
        ulimits: Some(vec![ResourcesUlimits {
            name: Some("nofile".to_owned()),
            soft: Some(open_files),
            hard: Some(open_files),
        }]),
        // Reaps orphans and passes signals on, for programs that were not written to be process 1.
        init: Some(true),
        // Under memory pressure an app goes before the daemon, which has -900.
        oom_score_adj: Some(500),
        log_config: Some(HostConfigLogConfig {
            typ: Some("local".to_owned()),
            config: Some(HashMap::from([
                ("max-size".to_owned(), "10m".to_owned()),
                ("max-file".to_owned(), "3".to_owned()),
            ])),
        }),
        // The control loop restarts, because it knows why and how often.
        restart_policy: Some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::NO),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// Without the second kind most images of others could not start: they begin as root, give their
/// folders to a user of their own and become that one.
fn capabilities(privileges: Privileges) -> Vec<String> {
    let more: &[&str] = match privileges {
        Privileges::Plain => &[],
        Privileges::Starter => &STARTING,
    };
    ["NET_BIND_SERVICE"].iter().chain(more).map(|&name| name.to_owned()).collect()
}

/// The image's own, behind the program that reads secrets if there are any.
fn entrypoint(spec: &InstanceSpec) -> Vec<String> {
    let own = spec.process.entrypoint.iter().cloned();
    match &spec.handed {
        Some(_) => [ENTER.to_owned(), format!("{SECRETS}/{}", Handed::FILE)]
            .into_iter()
            .chain(own)
            .collect(),
        None => own.collect(),
    }
}

/// What it is handed, and its disks; nothing for most.
fn mounts(installation: &InstallationId, spec: &InstanceSpec) -> Option<Vec<Mount>> {
    let mut mounts = spec.handed.as_ref().map(handed).unwrap_or_default();
    let disks = spec.disks.iter();
    mounts.extend(disks.map(|disk| volume::mount(installation, &spec.app, disk)));
    (!mounts.is_empty()).then_some(mounts)
}

/// A folder and not the file alone: what is taken out of it is gone in the container too.
fn handed(handed: &Handed) -> Vec<Mount> {
    let mounts = [(&handed.folder, SECRETS), (&handed.program, ENTER)];
    let given = |(source, target): (&std::path::PathBuf, &str)| {
        let (source, target) = (source.clone(), target.to_owned());
        mount(&crate::engine::Mount { source, target, access: Access::ReadOnly })
    };
    let files = handed.files.iter().map(|(file, target)| (file, target.as_str()));
    mounts.into_iter().chain(files).map(given).collect()
}

/// The app's own variables, then the platform's, which no app can name (`EnvKey` refuses them).
fn environment(spec: &InstanceSpec) -> Vec<String> {
    let platform = [
        ("PAAS_APP", spec.app.to_string()),
        ("PAAS_PROCESS", spec.slot.to_string()),
        ("PAAS_RELEASE", spec.incarnation.release.to_string()),
    ];
    let port = spec.process.port.map(|port| ("PORT", port.to_string()));
    spec.environment
        .iter()
        .map(|(key, value)| format!("{}={value}", key.as_str()))
        .chain(platform.into_iter().chain(port).map(|(key, value)| format!("{key}={value}")))
        .collect()
}

/// Bind mounts in the form that fails when the source is missing; the short form makes a folder
/// there, owned by root, and hides the mistake.
fn mount(mount: &crate::engine::Mount) -> Mount {
    Mount {
        typ: Some(MountType::BIND),
        source: Some(mount.source.to_string_lossy().into_owned()),
        target: Some(mount.target.clone()),
        read_only: Some(mount.access == Access::ReadOnly),
        ..Default::default()
    }
}

/// Where what is handed to an instance appears.
pub(super) const SECRETS: &str = "/.paas/secrets";
const ENTER: &str = "/.paas/enter";
/// Fewer than Docker's own choice: no raw sockets, no devices, no other root folder.
const STARTING: [&str; 6] = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "SETGID", "SETUID"];
/// What apt and dpkg do as root: give files away, act as the user `_apt`, and change root.
const INSTALLING: [&str; 8] =
    ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SYS_CHROOT"];
/// apt's lists and one dpkg need a third of it.
const ROOT_MEMORY: ByteSize = ByteSize::mib(1024);
const ROOT_PIDS: u32 = 512;
/// A build's temporary files: in memory, which counts against the build's limit. Compilers run
/// programs from there.
const BUILD_TMP: &str = "rw,exec,nosuid,nodev,size=1g,mode=1777";

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::model::{
        HealthCheck, Incarnation, Process, ReleaseVersion, Slot,
        process::{DEFAULT_PORT, DEFAULT_STOP_TIMEOUT},
    };

    pub(crate) fn spec() -> InstanceSpec {
        InstanceSpec {
            app: "shop".parse().unwrap(),
            slot: Slot { process: "web".parse().unwrap(), index: 1 },
            incarnation: Incarnation { release: ReleaseVersion(12), restart: 0 },
            attempt: 3,
            node: None,
            image: format!("sha256:{}", "a".repeat(64)).parse().unwrap(),
            process: Process {
                name: "web".parse().unwrap(),
                entrypoint: vec!["/bin/server".to_owned()],
                command: "server".to_owned(),
                port: Some(DEFAULT_PORT),
                scale: 1,
                health: HealthCheck::default(),
                liveness: crate::model::Liveness::default(),
                stop_timeout: DEFAULT_STOP_TIMEOUT,
                limits: Limits::default(),
                privileges: Privileges::Plain,
                volumes: [].into(),
                place: [].into(),
            },
            environment: [("KEY".parse().unwrap(), "a=b\n$c \"ü\"".to_owned())].into(),
            secrets: [].into(),
            files: [].into(),
            handed: None,
            sent: [].into(),
            disks: Vec::new(),
        }
    }

    #[test]
    fn the_environment_is_byte_exact_and_the_platforms_part_is_added() {
        assert_eq!(
            environment(&spec()),
            [
                "KEY=a=b\n$c \"ü\"",
                "PAAS_APP=shop",
                "PAAS_PROCESS=web.1",
                "PAAS_RELEASE=v12",
                "PORT=8080",
            ]
        );
    }

    #[test]
    fn a_process_without_a_port_gets_none() {
        let mut spec = spec();
        spec.process.port = None;
        assert!(!environment(&spec).iter().any(|variable| variable.starts_with("PORT=")));
    }

    #[test]
    fn nothing_is_published_and_nothing_of_the_machine_is_seen() {
        let body = instance(&DockerSettings::new("k3f9".parse().unwrap()), &spec(), &[]);
        let host = body.host_config.unwrap();
        assert_eq!(host.network_mode.as_deref(), Some("paas-k3f9-shop"));
        assert_eq!((host.port_bindings, host.mounts, host.binds), (None, None, None));
        assert_eq!(host.cap_drop, Some(vec!["ALL".to_owned()]));
        assert_eq!(host.cap_add, Some(vec!["NET_BIND_SERVICE".to_owned()]));
        assert_eq!(host.memory, host.memory_swap);
        assert_eq!(host.privileged, None);
        assert_eq!((host.dns, host.dns_search), (None, None), "names are Docker's business");
    }

    #[test]
    fn secrets_are_mounted_and_read_before_the_entry_point() {
        let (folder, program) = ("/run/x".into(), "/data/enter".into());
        let files = vec![("/run/x/file.0".into(), "/etc/tls.key".parse().unwrap())];
        let spec = InstanceSpec { handed: Some(Handed { folder, program, files }), ..spec() };
        let body = instance(&DockerSettings::new("k3f9".parse().unwrap()), &spec, &[]);
        let before = ["/.paas/enter", "/.paas/secrets/environment", "/bin/server"];
        assert_eq!(body.entrypoint.unwrap(), before);
        let mounts = body.host_config.unwrap().mounts.unwrap();
        let shown: Vec<_> = mounts
            .iter()
            .map(|it| (it.source.as_deref().unwrap(), it.target.as_deref().unwrap(), it.read_only))
            .collect();
        let expected = [
            ("/run/x", "/.paas/secrets", Some(true)),
            ("/data/enter", "/.paas/enter", Some(true)),
            ("/run/x/file.0", "/etc/tls.key", Some(true)),
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn names_are_asked_of_the_platform_first() {
        let resolvers = ["10.210.0.1", "192.0.2.53"].map(|at| at.parse().unwrap());
        let settings = DockerSettings::new("k3f9".parse().unwrap());
        let host = instance(&settings, &spec(), &resolvers).host_config.unwrap();
        assert_eq!(host.dns, Some(["10.210.0.1", "192.0.2.53"].map(str::to_owned).to_vec()));
        assert_eq!(host.dns_search, Some(vec!["internal".to_owned()]));
    }
}
