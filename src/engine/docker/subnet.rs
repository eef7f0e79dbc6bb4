//! Subnets: which part of the pool is free. Pure arithmetic and two parsers; no IO.
//!
//! Docker's own pools run out at about thirty networks and may overlap the machine's own routes;
//! ours has room for a thousand apps and is checked against what the machine already reaches.

use std::{fmt, net::Ipv4Addr, str::FromStr};

/// An IPv4 subnet, its host bits zero. Written `10.210.0.0/16`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subnet {
    base: u32,
    prefix: u8,
}

/// A text that should have been a subnet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an IPv4 subnet; write it like `10.210.0.0/16`")]
pub struct InvalidSubnet(String);

impl Subnet {
    /// Where networks come from unless the configuration says otherwise.
    pub const DEFAULT_POOL: Self = Self { base: 0x0AD2_0000, prefix: 16 };

    /// The first address and how many of its bits are the subnet's.
    pub fn parts(self) -> (Ipv4Addr, u8) {
        (Ipv4Addr::from_bits(self.base), self.prefix)
    }

    /// That address alone.
    pub fn of(address: Ipv4Addr) -> Self {
        Self { base: address.to_bits(), prefix: 32 }
    }

    /// Tells it from all other parts of any pool.
    pub(super) fn number(self) -> u32 {
        self.base >> (32 - PART_PREFIX)
    }

    /// The address that Docker gives this machine on a bridge with this subnet.
    pub(super) fn gateway(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.base | 1)
    }

    /// The subnet of that prefix length around an address.
    fn around(address: u32, prefix: u8) -> Self {
        Self { base: address & mask(prefix), prefix }
    }

    /// Whether the two share an address.
    pub fn overlaps(self, other: Self) -> bool {
        let wider = mask(self.prefix.min(other.prefix));
        self.base & wider == other.base & wider
    }

    /// The parts of this pool that overlap nothing in `taken`, lowest first.
    pub(super) fn free(self, taken: &[Self]) -> impl Iterator<Item = Self> {
        let parts = 1_u32.checked_shl(u32::from(PART_PREFIX.saturating_sub(self.prefix)));
        let parts = if self.prefix > PART_PREFIX { 0 } else { parts.unwrap_or(0) };
        let size = 1_u32 << (32 - PART_PREFIX);
        (0..parts)
            .map(move |n| Self { base: self.base.wrapping_add(n * size), prefix: PART_PREFIX })
            .filter(move |part| !taken.iter().any(|other| part.overlaps(*other)))
    }
}

impl FromStr for Subnet {
    type Err = InvalidSubnet;

    fn from_str(text: &str) -> Result<Self, InvalidSubnet> {
        let invalid = || InvalidSubnet(text.chars().take(40).collect());
        let (address, prefix) = text.split_once('/').ok_or_else(invalid)?;
        let address: Ipv4Addr = address.parse().map_err(|_| invalid())?;
        let prefix: u8 = prefix.parse().map_err(|_| invalid())?;
        if prefix > 32 {
            return Err(invalid());
        }
        Ok(Self::around(address.to_bits(), prefix))
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from_bits(self.base), self.prefix)
    }
}

/// The destinations in `/proc/net/route`, default routes left out: they overlap everything and
/// claim nothing. Lines that are not understood are passed over.
pub(super) fn routes(table: &str) -> Vec<Subnet> {
    table.lines().skip(1).filter_map(route).collect()
}

fn route(line: &str) -> Option<Subnet> {
    let mut columns = line.split_ascii_whitespace();
    let destination = address(columns.nth(1)?)?;
    let mask = address(columns.nth(5)?)?;
    let prefix = u8::try_from(mask.leading_ones()).ok()?;
    (prefix > 0).then(|| Subnet::around(destination, prefix))
}

/// The kernel prints the bytes of an address as one number of the machine's own byte order.
fn address(hex: &str) -> Option<u32> {
    u32::from_str_radix(hex, 16).ok().map(u32::from_be)
}

fn mask(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32_u32.saturating_sub(u32::from(prefix))).unwrap_or(0)
}

/// A network of 62 addresses: more than `MAX_SCALE` allows per process on one machine would need,
/// in practice, and small enough for 1024 apps in a /16.
const PART_PREFIX: u8 = 26;

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet(text: &str) -> Subnet {
        text.parse().unwrap()
    }

    #[test]
    fn subnets_are_written_and_read() {
        assert_eq!(subnet("10.210.0.0/16"), Subnet::DEFAULT_POOL);
        assert_eq!(subnet("10.210.3.77/26").to_string(), "10.210.3.64/26");
        for bad in ["", "10.0.0.0", "10.0.0.0/33", "10.0.0/8", "::1/64", "a/8"] {
            assert!(bad.parse::<Subnet>().is_err(), "{bad}");
        }
    }

    #[test]
    fn overlap_is_sharing_an_address() {
        for (one, other, shared) in [
            ("10.0.0.0/8", "10.210.0.0/16", true),
            ("10.210.0.0/26", "10.210.0.64/26", false),
            ("10.210.0.64/26", "10.210.0.100/32", true),
            ("0.0.0.0/0", "10.0.0.0/8", true),
            ("172.17.0.0/16", "10.0.0.0/8", false),
        ] {
            assert_eq!(subnet(one).overlaps(subnet(other)), shared, "{one} {other}");
            assert_eq!(subnet(other).overlaps(subnet(one)), shared, "{other} {one}");
        }
    }

    #[test]
    fn the_lowest_free_parts_come_first_and_the_pool_ends() {
        let pool = subnet("10.210.0.0/24");
        let taken = [subnet("10.210.0.0/26"), subnet("10.210.0.130/32")];
        let free: Vec<String> = pool.free(&taken).map(|part| part.to_string()).collect();
        assert_eq!(free, ["10.210.0.64/26", "10.210.0.192/26"]);
        assert_eq!(Subnet::DEFAULT_POOL.free(&[]).count(), 1024);
        assert_eq!(subnet("10.0.0.0/27").free(&[]).count(), 0, "too small for one part");
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn routes_of_the_machine_are_read() {
        let table = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\n\
                     eth0\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
                     docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n\
                     garbage\n";
        assert_eq!(routes(table), [subnet("172.17.0.0/16")]);
    }
}
