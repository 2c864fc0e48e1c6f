# Made from keepalived.conf by `quorate import keepalived`.
#
# unsupported:
#   lang-conditions/shared.inc:12: vrrp_instance shared / virtual_router_id 42: this version does not speak VRRP, and needs none inside the cluster; keep the number: it matters beside a keepalived that stays
#
# changed meaning:
#   lang-conditions/shared.inc:14: vrrp_instance shared / unicast_src_ip 10.1.0.1: what a node is reached at is said in its agent's own file; set bind = "10.1.0.1" there, if it is the address for the cluster's traffic
#   lang-conditions/shared.inc:15: vrrp_instance shared / unicast_src_ip 10.1.0.2: what a node is reached at is said in its agent's own file; set bind = "10.1.0.2" there, if it is the address for the cluster's traffic

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# A virtual IP address, which one node at a time owns.
# lang-conditions/shared.inc:21, lang-conditions/shared.inc:21
vip "shared" {
  address   = "10.1.0.100/24"
  interface = "eth0"
  prefer    = ["lb1", "lb2"]
  preempt   = true
}

# All findings:
# unsupported (2)
#   lang-conditions/shared.inc:12  vrrp_instance shared / virtual_router_id 42  this version does not speak VRRP, and needs none inside the cluster; keep the number: it matters beside a keepalived that stays
#
# changed meaning (2)
#   lang-conditions/shared.inc:14  vrrp_instance shared / unicast_src_ip 10.1.0.1  what a node is reached at is said in its agent's own file; set bind = "10.1.0.1" there, if it is the address for the cluster's traffic
#   lang-conditions/shared.inc:15  vrrp_instance shared / unicast_src_ip 10.1.0.2  what a node is reached at is said in its agent's own file; set bind = "10.1.0.2" there, if it is the address for the cluster's traffic
#
# ignored: not needed (8)
#   lang-conditions/shared.inc:5   global_defs / router_id first                   a node has the name of its agent, lb1
#   lang-conditions/shared.inc:6   global_defs / router_id other                   a node has the name of its agent, lb2
#   lang-conditions/shared.inc:9   vrrp_instance shared / state MASTER             it is a hint for the start; `prefer` follows the priorities
#   lang-conditions/shared.inc:10  vrrp_instance shared / state BACKUP             it is a hint for the start; `prefer` follows the priorities
#   lang-conditions/shared.inc:16  vrrp_instance shared / unicast_peer             the nodes find each other when they join, and speak by unicast
#   lang-conditions/shared.inc:17  vrrp_instance shared / unicast_peer / 10.1.0.2  it is part of unicast_peer
#   lang-conditions/shared.inc:18  vrrp_instance shared / unicast_peer / 10.1.0.1  it is part of unicast_peer
#
# mapped (12)
#   lang-conditions/shared.inc:4   global_defs                                               cluster, and notify blocks: see what stands in it
#   lang-conditions/shared.inc:8   vrrp_instance shared                                      vip "shared"
#   lang-conditions/shared.inc:11  vrrp_instance shared / interface eth0                     vip: interface
#   lang-conditions/shared.inc:13  vrrp_instance shared / priority 200                       vip "shared": prefer
#   lang-conditions/shared.inc:13  vrrp_instance shared / priority 50                        vip "shared": prefer
#   lang-conditions/shared.inc:20  vrrp_instance shared / virtual_ipaddress                  vip: address
#   lang-conditions/shared.inc:21  vrrp_instance shared / virtual_ipaddress / 10.1.0.100/24  vip "shared": address
#
