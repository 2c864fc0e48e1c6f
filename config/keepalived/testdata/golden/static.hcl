# Made from keepalived.conf by `quorate import keepalived`.
#
# unsupported:
#   static.conf:1: track_group G1: the addresses, routes and rules that stay on a machine are not the cluster's business; set them in the network configuration of the machine
#   static.conf:2: track_group G1 / group: the addresses, routes and rules that stay on a machine are not the cluster's business; set them in the network configuration of the machine
#   static.conf:6: static_ipaddress: the addresses, routes and rules that stay on a machine are not the cluster's business; set them in the network configuration of the machine
#   static.conf:10: static_routes: the addresses, routes and rules that stay on a machine are not the cluster's business; set them in the network configuration of the machine
#   static.conf:14: static_rules: the addresses, routes and rules that stay on a machine are not the cluster's business; set them in the network configuration of the machine
#   static.conf:24: interface_up_down_delays: a change of an interface counts at once; where an interface bounces, put a node_check with a check "interface" and rise on it
#   static.conf:33: vrrp_instance VI / virtual_rules: this version moves addresses alone, and no routes or rules with them; set them on all directors, or by the script of a notify block
#   static.conf:36: vrrp_instance VI / virtual_routes: this version moves addresses alone, and no routes or rules with them; set them on all directors, or by the script of a notify block
#
# changed meaning:
#   static.conf:29: vrrp_instance VI / virtual_router_id 70: the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# How the cluster takes part in VRRP as one router, beside keepalived and others, for the VIPs that name it: what keepalived has as one vrrp_instance. They are of one family, on one network and interface, and in one group if they are several. Adverts have their addresses in the order of the VIPs' names, of IPv6 the link-local ones first.
# static.conf:29
virtual_router "VI" {
  vrid    = 70
  version = 2
}

# A virtual IP address, which one node at a time owns.
# static.conf:31
vip "VI" {
  address        = "192.0.2.71/24"
  interface      = "eth0"
  virtual_router = "VI"
}

# All findings:
# unsupported (18)
#   static.conf:1   track_group G1                                                                                     the addresses, routes and rules that stay on a machine are not the cluster's business; set them in the network configuration of the machine
#   static.conf:2   track_group G1 / group                                                                             the addresses, routes and rules that stay on a machine are not the cluster's business; set them in the network configuration of the machine
#   static.conf:3   track_group G1 / group / VI                                                                        it is part of group
#   static.conf:6   static_ipaddress                                                                                   the addresses, routes and rules that stay on a machine are not the cluster's business; set them in the network configuration of the machine
#   static.conf:7   static_ipaddress / 192.0.2.70/24 dev eth0 scope global                                             it is part of static_ipaddress
#   static.conf:8   static_ipaddress / 2001:db8::70/64 dev eth0 track_group G1                                         it is part of static_ipaddress
#   static.conf:10  static_routes                                                                                      the addresses, routes and rules that stay on a machine are not the cluster's business; set them in the network configuration of the machine
#   static.conf:11  static_routes / 198.51.100.0/24 via 192.0.2.254 dev eth0                                           it is part of static_routes
#   static.conf:12  static_routes / 203.0.113.0/24 table 100 nexthop via 192.0.2.1 weight 1 nexthop via 192.0.2.2 we…  it is part of static_routes
#   static.conf:14  static_rules                                                                                       the addresses, routes and rules that stay on a machine are not the cluster's business; set them in the network configuration of the machine
#   static.conf:15  static_rules / from 192.0.2.0/24 table 100                                                         it is part of static_rules
#   static.conf:24  interface_up_down_delays                                                                           a change of an interface counts at once; where an interface bounces, put a node_check with a check "interface" and rise on it
#   static.conf:25  interface_up_down_delays / eth0 1.5 10                                                             it is part of interface_up_down_delays
#   static.conf:33  vrrp_instance VI / virtual_rules                                                                   this version moves addresses alone, and no routes or rules with them; set them on all directors, or by the script of a notify block
#   static.conf:34  vrrp_instance VI / virtual_rules / from 192.0.2.71 table 100                                       it is part of virtual_rules
#   static.conf:36  vrrp_instance VI / virtual_routes                                                                  this version moves addresses alone, and no routes or rules with them; set them on all directors, or by the script of a notify block
#   static.conf:37  vrrp_instance VI / virtual_routes / src 192.0.2.71 to 198.51.100.0/24 gw 192.0.2.254 dev eth0      it is part of virtual_routes
#   static.conf:38  vrrp_instance VI / virtual_routes / blackhole 203.0.113.0/24                                       it is part of virtual_routes
#
# changed meaning (1)
#   static.conf:29  vrrp_instance VI / virtual_router_id 70  the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#
# ignored: not needed (5)
#   static.conf:17  garp_group                        the new owner announces an address at once, several times, and again while it has it, without being told
#   static.conf:18  garp_group / garp_interval 0.002  the new owner announces an address at once, several times, and again while it has it, without being told
#   static.conf:19  garp_group / interfaces           the new owner announces an address at once, several times, and again while it has it, without being told
#   static.conf:20  garp_group / interfaces / eth0    it is part of interfaces
#   static.conf:21  garp_group / interfaces / eth1    it is part of interfaces
#
# mapped (5)
#   static.conf:27  vrrp_instance VI                                      vip "VI"
#   static.conf:28  vrrp_instance VI / interface eth0                     vip: interface
#   static.conf:29  vrrp_instance VI / virtual_router_id 70               virtual_router: vrid
#   static.conf:30  vrrp_instance VI / virtual_ipaddress                  vip: address
#   static.conf:31  vrrp_instance VI / virtual_ipaddress / 192.0.2.71/24  vip "VI": address
#
