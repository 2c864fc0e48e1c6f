# Made from keepalived.conf by `quorate import keepalived`.
#
# changed meaning:
#   lang-conditions/shared.inc:12: vrrp_instance shared / virtual_router_id 42: the directors send the adverts to each other alone, and the nodes would not hear them; add the addresses of the nodes to unicast_peer on all directors before
#   lang-conditions/shared.inc:13: priority: it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 200 at most

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# How the cluster takes part in VRRP as one router, beside keepalived and others, for the VIPs that name it: what keepalived has as one vrrp_instance. They are of one family, on one network and interface, and in one group if they are several. Adverts have their addresses in the order of the VIPs' names, of IPv6 the link-local ones first.
# lang-conditions/shared.inc:12, lang-conditions/shared.inc:12, lang-conditions/shared.inc:17, lang-conditions/shared.inc:16, and 4 more
virtual_router "shared" {
  vrid    = 42
  version = 2
  peers   = ["10.1.0.1", "10.1.0.2"]
  unicast = true
}

# A virtual IP address, which one node at a time owns.
# lang-conditions/shared.inc:21, lang-conditions/shared.inc:21
vip "shared" {
  address        = "10.1.0.100/24"
  interface      = "eth0"
  prefer         = ["lb1", "lb2"]
  preempt        = true
  virtual_router = "shared"
}

# All findings:
# changed meaning (3)
#   lang-conditions/shared.inc:12  vrrp_instance shared / virtual_router_id 42  the directors send the adverts to each other alone, and the nodes would not hear them; add the addresses of the nodes to unicast_peer on all directors before
#   lang-conditions/shared.inc:13  vrrp_instance shared / priority 200          it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 200 at most
#   lang-conditions/shared.inc:13  vrrp_instance shared / priority 50           it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 200 at most
#
# ignored: not needed (4)
#   lang-conditions/shared.inc:5   global_defs / router_id first        a node has the name of its agent, lb1
#   lang-conditions/shared.inc:6   global_defs / router_id other        a node has the name of its agent, lb2
#   lang-conditions/shared.inc:9   vrrp_instance shared / state MASTER  it is a hint for the start; `prefer` follows the priorities
#   lang-conditions/shared.inc:10  vrrp_instance shared / state BACKUP  it is a hint for the start; `prefer` follows the priorities
#
# mapped (18)
#   lang-conditions/shared.inc:4   global_defs                                               cluster, and notify blocks: see what stands in it
#   lang-conditions/shared.inc:8   vrrp_instance shared                                      vip "shared"
#   lang-conditions/shared.inc:11  vrrp_instance shared / interface eth0                     vip: interface
#   lang-conditions/shared.inc:12  vrrp_instance shared / virtual_router_id 42               virtual_router: vrid
#   lang-conditions/shared.inc:14  vrrp_instance shared / unicast_src_ip 10.1.0.1            virtual_router: peers
#   lang-conditions/shared.inc:15  vrrp_instance shared / unicast_src_ip 10.1.0.2            virtual_router: peers
#   lang-conditions/shared.inc:16  vrrp_instance shared / unicast_peer                       virtual_router: unicast
#   lang-conditions/shared.inc:17  vrrp_instance shared / unicast_peer / 10.1.0.2            virtual_router: peers
#   lang-conditions/shared.inc:18  vrrp_instance shared / unicast_peer / 10.1.0.1            virtual_router: peers
#   lang-conditions/shared.inc:20  vrrp_instance shared / virtual_ipaddress                  vip: address
#   lang-conditions/shared.inc:21  vrrp_instance shared / virtual_ipaddress / 10.1.0.100/24  vip "shared": address
#
