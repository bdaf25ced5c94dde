//! Blocks of addresses, as in a NetworkPolicy: `192.0.2.0/24`, `2001:db8::/32`.

use std::net::IpAddr;

/// A block of addresses of one family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    network: IpAddr,
    prefix: u32,
}

impl Cidr {
    /// Reads a block; `None` where the API server would not take it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/')?;
        let network: IpAddr = address.parse().ok()?;
        let prefix = prefix.parse().ok()?;
        (prefix <= width(network)).then_some(Self { network, prefix })
    }

    /// Whether an address is in the block.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        width(self.network) == width(address) && head(self.network, self.prefix) == head(address, self.prefix)
    }

    /// Whether the block is a part of another one and smaller.
    #[must_use]
    pub fn is_part_of(self, other: Self) -> bool {
        self.prefix > other.prefix && other.contains(self.network)
    }
}

fn width(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// The first bits of an address.
fn head(address: IpAddr, prefix: u32) -> u128 {
    let bits = match address {
        IpAddr::V4(four) => u128::from(u32::from(four)),
        IpAddr::V6(six) => u128::from(six),
    };
    bits.checked_shr(width(address) - prefix).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(text: &str) -> Cidr {
        Cidr::parse(text).unwrap()
    }

    #[test]
    fn a_block_contains_its_first_and_last_address_and_no_other() {
        for (text, address, inside) in [
            ("192.0.2.0/24", "192.0.2.0", true),
            ("192.0.2.0/24", "192.0.2.255", true),
            ("192.0.2.0/24", "192.0.3.0", false),
            ("192.0.2.7/32", "192.0.2.7", true),
            ("192.0.2.7/32", "192.0.2.6", false),
            ("0.0.0.0/0", "255.255.255.255", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "2001:db8::1", true),
            ("::/0", "192.0.2.1", false),
            ("fe80::/10", "febf::1", true),
            ("fe80::/10", "fec0::1", false),
            ("2001:db8::7/128", "2001:db8::7", true),
        ] {
            assert_eq!(
                block(text).contains(address.parse().unwrap()),
                inside,
                "{address} in {text}"
            );
        }
    }

    #[test]
    fn a_part_is_smaller_than_the_whole() {
        assert!(block("169.254.0.0/16").is_part_of(block("0.0.0.0/0")));
        assert!(!block("0.0.0.0/0").is_part_of(block("0.0.0.0/0")));
        assert!(!block("169.254.0.0/16").is_part_of(block("10.0.0.0/8")));
        assert!(!block("fe80::/10").is_part_of(block("0.0.0.0/0")));
    }

    #[test]
    fn what_is_no_block_is_refused() {
        for text in [
            "192.0.2.1",
            "192.0.2.0/33",
            "::/129",
            "192.0.2/24",
            "name/8",
            "192.0.2.0/-1",
        ] {
            assert_eq!(Cidr::parse(text), None, "{text}");
        }
    }
}
