# Made from keepalived.conf by `quorate import keepalived`.
#
# mistake in the source:
#   duplicate-vrid.conf:5: vrrp_instance B / virtual_router_id 40: vrrp_instance A has the same number on the same interface (duplicate-vrid.conf:1); give each its own number
#
# unsupported:
#   duplicate-vrid.conf:2: vrrp_instance A / virtual_router_id 40: this version does not speak VRRP, and needs none inside the cluster; keep the number: it matters beside a keepalived that stays

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# A virtual IP address, which one node at a time owns.
# duplicate-vrid.conf:3
vip "A" {
  address   = "10.40.0.1/24"
  interface = "eth0"
}

# duplicate-vrid.conf:6
vip "B" {
  address   = "10.40.0.2/24"
  interface = "eth0"
}

# All findings:
# mistake in the source (1)
#   duplicate-vrid.conf:5  vrrp_instance B / virtual_router_id 40  vrrp_instance A has the same number on the same interface (duplicate-vrid.conf:1); give each its own number
#
# unsupported (1)
#   duplicate-vrid.conf:2  vrrp_instance A / virtual_router_id 40  this version does not speak VRRP, and needs none inside the cluster; keep the number: it matters beside a keepalived that stays
#
# mapped (8)
#   duplicate-vrid.conf:1  vrrp_instance A                                     vip "A"
#   duplicate-vrid.conf:1  vrrp_instance A / interface eth0                    vip: interface
#   duplicate-vrid.conf:3  vrrp_instance A / virtual_ipaddress                 vip: address
#   duplicate-vrid.conf:3  vrrp_instance A / virtual_ipaddress / 10.40.0.1/24  vip "A": address
#   duplicate-vrid.conf:4  vrrp_instance B                                     vip "B"
#   duplicate-vrid.conf:4  vrrp_instance B / interface eth0                    vip: interface
#   duplicate-vrid.conf:6  vrrp_instance B / virtual_ipaddress                 vip: address
#   duplicate-vrid.conf:6  vrrp_instance B / virtual_ipaddress / 10.40.0.2/24  vip "B": address
#
