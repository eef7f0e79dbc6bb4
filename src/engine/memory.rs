//! The memory of this machine, as the kernel says in `/proc/meminfo` (proc(5)).

use crate::model::ByteSize;

/// It.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MachineMemory {
    /// In all.
    pub all: ByteSize,
    /// What programs could have now without anybody being sent to the disk.
    pub free: ByteSize,
}

impl MachineMemory {
    /// At this moment; `None` where the kernel does not say.
    pub fn now() -> Option<Self> {
        Self::read(&std::fs::read_to_string("/proc/meminfo").ok()?)
    }

    fn read(meminfo: &str) -> Option<Self> {
        let figure = |name: &str| {
            let line = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
            let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
            Some(ByteSize(kib.checked_mul(1024)?))
        };
        Some(Self { all: figure("MemTotal:")?, free: figure("MemAvailable:")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_says_is_read() {
        let text = "MemTotal: 1200 kB\nMemFree: 1 kB\nMemAvailable: 99 kB\n";
        let (all, free) = (ByteSize(1200 << 10), ByteSize(99 << 10));
        assert_eq!(MachineMemory::read(text), Some(MachineMemory { all, free }));
        assert_eq!(MachineMemory::read("nothing of the kind"), None);
        assert!(MachineMemory::now().is_some_and(|now| now.free <= now.all));
    }
}
