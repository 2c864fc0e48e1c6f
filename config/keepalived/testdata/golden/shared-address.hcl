# Made from keepalived.conf by `quorate import keepalived`.
#
# changed meaning:
#   shared-address/lb1.conf:2, shared-address/lb1.conf:6: virtual_router_id: the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   shared-address/lb1.conf:3, shared-address/lb1.conf:7, shared-address/lb2.conf:4, shared-address/lb2.conf:9: priority: it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 110 at most
#   shared-address/lb1.conf:8, shared-address/lb2.conf:8: nopreempt: preempt = false, of the VIPs and of the virtual_router: a director of keepalived that has the addresses keeps them; take it out of the virtual_router before the takeover, or stop that director then

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# How the cluster takes part in VRRP as one router, beside keepalived and others, for the VIPs that name it: what keepalived has as one vrrp_instance. They are of one family, on one network and interface, and in one group if they are several. Adverts have their addresses in the order of the VIPs' names, of IPv6 the link-local ones first.
# shared-address/lb1.conf:2, shared-address/lb2.conf:3
virtual_router "FIRST" {
  vrid    = 30
  version = 2
}

# shared-address/lb1.conf:6, shared-address/lb2.conf:7
virtual_router "SECOND" {
  vrid    = 31
  version = 2
  preempt = false
}

# A virtual IP address, which one node at a time owns.
# shared-address/lb1.conf:4, shared-address/lb2.conf:5
vip "FIRST" {
  address        = "10.30.0.1/24"
  interface      = "eth0"
  prefer         = ["lb2", "lb1"]
  preempt        = true
  virtual_router = "FIRST"
}

# shared-address/lb1.conf:9, shared-address/lb2.conf:10
vip "SECOND" {
  address        = "10.30.0.2/24"
  interface      = "eth0"
  prefer         = ["lb1", "lb2"]
  virtual_router = "SECOND"
}

# All findings:
# changed meaning (8)
#   shared-address/lb1.conf:2  vrrp_instance FIRST / virtual_router_id 30   the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   shared-address/lb1.conf:3  vrrp_instance FIRST / priority 90            it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 110 at most
#   shared-address/lb1.conf:6  vrrp_instance SECOND / virtual_router_id 31  the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   shared-address/lb1.conf:7  vrrp_instance SECOND / priority 110          it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 110 at most
#   shared-address/lb1.conf:8  vrrp_instance SECOND / nopreempt             preempt = false, of the VIPs and of the virtual_router: a director of keepalived that has the addresses keeps them; take it out of the virtual_router before the takeover, or stop that director then
#   shared-address/lb2.conf:4  vrrp_instance EINS / priority 110            it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 110 at most
#   shared-address/lb2.conf:8  vrrp_instance ZWEI / nopreempt               preempt = false, of the VIPs and of the virtual_router: a director of keepalived that has the addresses keeps them; take it out of the virtual_router before the takeover, or stop that director then
#   shared-address/lb2.conf:9  vrrp_instance ZWEI / priority 90             it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 110 at most
#
# mapped (20)
#   shared-address/lb1.conf:1   vrrp_instance FIRST                                      vip "FIRST"
#   shared-address/lb1.conf:1   vrrp_instance FIRST / interface eth0                     vip: interface
#   shared-address/lb1.conf:2   vrrp_instance FIRST / virtual_router_id 30               virtual_router: vrid
#   shared-address/lb1.conf:4   vrrp_instance FIRST / virtual_ipaddress                  vip: address
#   shared-address/lb1.conf:4   vrrp_instance FIRST / virtual_ipaddress / 10.30.0.1/24   vip "FIRST": address
#   shared-address/lb1.conf:5   vrrp_instance SECOND                                     vip "SECOND"
#   shared-address/lb1.conf:5   vrrp_instance SECOND / interface eth0                    vip: interface
#   shared-address/lb1.conf:6   vrrp_instance SECOND / virtual_router_id 31              virtual_router: vrid
#   shared-address/lb1.conf:9   vrrp_instance SECOND / virtual_ipaddress                 vip: address
#   shared-address/lb1.conf:9   vrrp_instance SECOND / virtual_ipaddress / 10.30.0.2/24  vip "SECOND": address
#   shared-address/lb2.conf:2   vrrp_instance EINS                                       vip "FIRST"
#   shared-address/lb2.conf:2   vrrp_instance EINS / interface eth0                      vip: interface
#   shared-address/lb2.conf:3   vrrp_instance EINS / virtual_router_id 30                virtual_router: vrid
#   shared-address/lb2.conf:5   vrrp_instance EINS / virtual_ipaddress                   vip: address
#   shared-address/lb2.conf:5   vrrp_instance EINS / virtual_ipaddress / 10.30.0.1/24    vip "FIRST": address
#   shared-address/lb2.conf:6   vrrp_instance ZWEI                                       vip "SECOND"
#   shared-address/lb2.conf:6   vrrp_instance ZWEI / interface eth0                      vip: interface
#   shared-address/lb2.conf:7   vrrp_instance ZWEI / virtual_router_id 31                virtual_router: vrid
#   shared-address/lb2.conf:10  vrrp_instance ZWEI / virtual_ipaddress                   vip: address
#   shared-address/lb2.conf:10  vrrp_instance ZWEI / virtual_ipaddress / 10.30.0.2/24    vip "SECOND": address
#
