# Made from keepalived.conf by `quorate import keepalived`.
#
# changed meaning:
#   pair-basic/lb1.conf:9: vrrp_instance WEB / virtual_router_id 51: the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   pair-basic/lb1.conf:10, pair-basic/lb2.conf:10: priority: it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 150 at most

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# How the cluster takes part in VRRP as one router, beside keepalived and others, for the VIPs that name it: what keepalived has as one vrrp_instance. They are of one family, on one network and interface, and in one group if they are several. Adverts have their addresses in the order of the VIPs' names, of IPv6 the link-local ones first.
# pair-basic/lb1.conf:9, pair-basic/lb2.conf:9, pair-basic/lb1.conf:13, pair-basic/lb1.conf:14, and 6 more
virtual_router "WEB" {
  vrid     = 51
  version  = 2
  password = "s3cr3t"
}

# A virtual IP address, which one node at a time owns.
# pair-basic/lb1.conf:17, pair-basic/lb2.conf:17
vip "WEB" {
  address        = "192.0.2.10/24"
  interface      = "eth0"
  prefer         = ["lb1", "lb2"]
  preempt        = true
  virtual_router = "WEB"
}

# All findings:
# changed meaning (3)
#   pair-basic/lb1.conf:9   vrrp_instance WEB / virtual_router_id 51  the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   pair-basic/lb1.conf:10  vrrp_instance WEB / priority 150          it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 150 at most
#   pair-basic/lb2.conf:10  vrrp_instance WEB / priority 100          it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 150 at most
#
# ignored: not needed (4)
#   pair-basic/lb1.conf:3  global_defs / router_id fe-a      a node has the name of its agent, lb1
#   pair-basic/lb1.conf:7  vrrp_instance WEB / state MASTER  it is a hint for the start; `prefer` follows the priorities
#   pair-basic/lb2.conf:3  global_defs / router_id fe-b      a node has the name of its agent, lb2
#   pair-basic/lb2.conf:7  vrrp_instance WEB / state BACKUP  it is a hint for the start; `prefer` follows the priorities
#
# mapped (20)
#   pair-basic/lb1.conf:2, pair-basic/lb2.conf:2    global_defs                                            cluster, and notify blocks: see what stands in it
#   pair-basic/lb1.conf:6, pair-basic/lb2.conf:6    vrrp_instance WEB                                      vip "WEB"
#   pair-basic/lb1.conf:8, pair-basic/lb2.conf:8    vrrp_instance WEB / interface eth0                     vip: interface
#   pair-basic/lb1.conf:9, pair-basic/lb2.conf:9    vrrp_instance WEB / virtual_router_id 51               virtual_router: vrid
#   pair-basic/lb1.conf:11, pair-basic/lb2.conf:11  vrrp_instance WEB / advert_int 1                       virtual_router: interval
#   pair-basic/lb1.conf:12, pair-basic/lb2.conf:12  vrrp_instance WEB / authentication                     virtual_router: password
#   pair-basic/lb1.conf:13, pair-basic/lb2.conf:13  vrrp_instance WEB / authentication / auth_type PASS    virtual_router: password
#   pair-basic/lb1.conf:14, pair-basic/lb2.conf:14  vrrp_instance WEB / authentication / auth_pass …       virtual_router: password
#   pair-basic/lb1.conf:16, pair-basic/lb2.conf:16  vrrp_instance WEB / virtual_ipaddress                  vip: address
#   pair-basic/lb1.conf:17, pair-basic/lb2.conf:17  vrrp_instance WEB / virtual_ipaddress / 192.0.2.10/24  vip "WEB": address
#
