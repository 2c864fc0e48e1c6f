# Made from keepalived.conf by `quorate import keepalived`.
#
# unsupported:
#   lang-layout.conf:4, lang-layout.conf:10, lang-layout.conf:13: virtual_router_id: this version does not speak VRRP, and needs none inside the cluster; keep the number: it matters beside a keepalived that stays

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# A virtual IP address, which one node at a time owns.
# lang-layout.conf:7
vip "one" {
  address   = "10.6.0.1/24"
  interface = "eth0"
}

# lang-layout.conf:14
vip "three" {
  address   = "10.6.0.3/24"
  interface = "eth0"
}

# lang-layout.conf:11
vip "two" {
  address   = "10.6.0.2/24"
  interface = "eth0"
}

# All findings:
# unsupported (3)
#   lang-layout.conf:4   vrrp_instance one / virtual_router_id 5    this version does not speak VRRP, and needs none inside the cluster; keep the number: it matters beside a keepalived that stays
#   lang-layout.conf:10  vrrp_instance two / virtual_router_id 6    this version does not speak VRRP, and needs none inside the cluster; keep the number: it matters beside a keepalived that stays
#   lang-layout.conf:13  vrrp_instance three / virtual_router_id 7  this version does not speak VRRP, and needs none inside the cluster; keep the number: it matters beside a keepalived that stays
#
# mapped (12)
#   lang-layout.conf:1   vrrp_instance   one                                    vip "one"
#   lang-layout.conf:3   vrrp_instance one / interface eth0                     vip: interface
#   lang-layout.conf:5   vrrp_instance one / virtual_ipaddress                  vip: address
#   lang-layout.conf:7   vrrp_instance one / virtual_ipaddress / 10.6.0.1/24    vip "one": address
#   lang-layout.conf:9   vrrp_instance two                                      vip "two"
#   lang-layout.conf:9   vrrp_instance two / interface eth0                     vip: interface
#   lang-layout.conf:11  vrrp_instance two / virtual_ipaddress                  vip: address
#   lang-layout.conf:11  vrrp_instance two / virtual_ipaddress / 10.6.0.2/24    vip "two": address
#   lang-layout.conf:12  vrrp_instance three                                    vip "three"
#   lang-layout.conf:12  vrrp_instance three / interface "eth0"                 vip: interface
#   lang-layout.conf:14  vrrp_instance three / virtual_ipaddress                vip: address
#   lang-layout.conf:14  vrrp_instance three / virtual_ipaddress / 10.6.0.3/24  vip "three": address
#
