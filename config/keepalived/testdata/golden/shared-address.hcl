# Made from keepalived.conf by `quorate import keepalived`.
#
# unsupported:
#   shared-address/lb1.conf:2, shared-address/lb1.conf:6, shared-address/lb2.conf:3, shared-address/lb2.conf:7: virtual_router_id: this version does not speak VRRP, and needs none inside the cluster; keep the number: it matters beside a keepalived that stays

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# A virtual IP address, which one node at a time owns.
# shared-address/lb1.conf:4, shared-address/lb2.conf:5
vip "FIRST" {
  address   = "10.30.0.1/24"
  interface = "eth0"
  prefer    = ["lb2", "lb1"]
  preempt   = true
}

# shared-address/lb1.conf:9, shared-address/lb2.conf:10
vip "SECOND" {
  address   = "10.30.0.2/24"
  interface = "eth0"
  prefer    = ["lb1", "lb2"]
}

# All findings:
# unsupported (4)
#   shared-address/lb1.conf:2  vrrp_instance FIRST / virtual_router_id 30   this version does not speak VRRP, and needs none inside the cluster; keep the number: it matters beside a keepalived that stays
#   shared-address/lb1.conf:6  vrrp_instance SECOND / virtual_router_id 31  this version does not speak VRRP, and needs none inside the cluster; keep the number: it matters beside a keepalived that stays
#   shared-address/lb2.conf:3  vrrp_instance EINS / virtual_router_id 30    this version does not speak VRRP, and needs none inside the cluster; keep the number: it matters beside a keepalived that stays
#   shared-address/lb2.conf:7  vrrp_instance ZWEI / virtual_router_id 31    this version does not speak VRRP, and needs none inside the cluster; keep the number: it matters beside a keepalived that stays
#
# mapped (22)
#   shared-address/lb1.conf:1   vrrp_instance FIRST                                      vip "FIRST"
#   shared-address/lb1.conf:1   vrrp_instance FIRST / interface eth0                     vip: interface
#   shared-address/lb1.conf:3   vrrp_instance FIRST / priority 90                        vip "FIRST": prefer
#   shared-address/lb1.conf:4   vrrp_instance FIRST / virtual_ipaddress                  vip: address
#   shared-address/lb1.conf:4   vrrp_instance FIRST / virtual_ipaddress / 10.30.0.1/24   vip "FIRST": address
#   shared-address/lb1.conf:5   vrrp_instance SECOND                                     vip "SECOND"
#   shared-address/lb1.conf:5   vrrp_instance SECOND / interface eth0                    vip: interface
#   shared-address/lb1.conf:7   vrrp_instance SECOND / priority 110                      vip "SECOND": prefer
#   shared-address/lb1.conf:8   vrrp_instance SECOND / nopreempt                         preempt = false
#   shared-address/lb1.conf:9   vrrp_instance SECOND / virtual_ipaddress                 vip: address
#   shared-address/lb1.conf:9   vrrp_instance SECOND / virtual_ipaddress / 10.30.0.2/24  vip "SECOND": address
#   shared-address/lb2.conf:2   vrrp_instance EINS                                       vip "FIRST"
#   shared-address/lb2.conf:2   vrrp_instance EINS / interface eth0                      vip: interface
#   shared-address/lb2.conf:4   vrrp_instance EINS / priority 110                        vip "FIRST": prefer
#   shared-address/lb2.conf:5   vrrp_instance EINS / virtual_ipaddress                   vip: address
#   shared-address/lb2.conf:5   vrrp_instance EINS / virtual_ipaddress / 10.30.0.1/24    vip "FIRST": address
#   shared-address/lb2.conf:6   vrrp_instance ZWEI                                       vip "SECOND"
#   shared-address/lb2.conf:6   vrrp_instance ZWEI / interface eth0                      vip: interface
#   shared-address/lb2.conf:8   vrrp_instance ZWEI / nopreempt                           preempt = false
#   shared-address/lb2.conf:9   vrrp_instance ZWEI / priority 90                         vip "SECOND": prefer
#   shared-address/lb2.conf:10  vrrp_instance ZWEI / virtual_ipaddress                   vip: address
#   shared-address/lb2.conf:10  vrrp_instance ZWEI / virtual_ipaddress / 10.30.0.2/24    vip "SECOND": address
#
