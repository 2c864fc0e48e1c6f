# Made from keepalived.conf by `quorate import keepalived`.
#
# mistake in the source:
#   useless-weight/lb1.conf:2, useless-weight/lb2.conf:2: vrrp_script db / weight -5: the distance of the priorities is more than the weight of -5, so that keepalived never moves an address for it; here it does; take it out where an address is to stay
#
# changed meaning:
#   useless-weight/lb1.conf:1, useless-weight/lb2.conf:1: vrrp_script db / script "/opt/check db": it runs as quorate_script where there is such a user, else as nobody; keepalived takes keepalived_script, else root; set user = "…" if that does not do
#   useless-weight/lb1.conf:4: vrrp_instance db / virtual_router_id 7: the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   useless-weight/lb1.conf:5, useless-weight/lb2.conf:5: priority: it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 200 at most

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# How the cluster takes part in VRRP as one router, beside keepalived and others, for the VIPs that name it: what keepalived has as one vrrp_instance. They are of one family, on one network and interface, and in one group if they are several. Adverts have their addresses in the order of the VIPs' names, of IPv6 the link-local ones first.
# useless-weight/lb1.conf:4, useless-weight/lb2.conf:4
virtual_router "db" {
  vrid    = 7
  version = 2
}

# A virtual IP address, which one node at a time owns.
# useless-weight/lb1.conf:6, useless-weight/lb2.conf:6
vip "db" {
  address        = "10.1.1.1/16"
  interface      = "bond0"
  prefer         = ["lb1", "lb2"]
  preempt        = true
  virtual_router = "db"
}

# What a director has to have in order to own VIPs, or to be preferred as their owner; each director checks it for itself. Checks that ask over the network ask 127.0.0.1, at the `port` that they name. It passes on a node when all checks in it do.
# useless-weight/lb1.conf:1, useless-weight/lb2.conf:1
node_check "db" {
  weight = -5
  vips   = ["db"]

  check "script" {
    interval = "1s"
    timeout  = "1s"
    rise     = 1
    fall     = 1
    command  = ["/opt/check", "db"]
  }
}

# All findings:
# mistake in the source (2)
#   useless-weight/lb1.conf:2, useless-weight/lb2.conf:2  vrrp_script db / weight -5  the distance of the priorities is more than the weight of -5, so that keepalived never moves an address for it; here it does; take it out where an address is to stay
#
# changed meaning (5)
#   useless-weight/lb1.conf:1, useless-weight/lb2.conf:1  vrrp_script db / script "/opt/check db"  it runs as quorate_script where there is such a user, else as nobody; keepalived takes keepalived_script, else root; set user = "…" if that does not do
#   useless-weight/lb1.conf:4                             vrrp_instance db / virtual_router_id 7   the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   useless-weight/lb1.conf:5                             vrrp_instance db / priority 200          it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 200 at most
#   useless-weight/lb2.conf:5                             vrrp_instance db / priority 100          it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 200 at most
#
# mapped (16)
#   useless-weight/lb1.conf:1, useless-weight/lb2.conf:1  vrrp_script db                                      node_check
#   useless-weight/lb1.conf:3, useless-weight/lb2.conf:3  vrrp_instance db                                    vip "db"
#   useless-weight/lb1.conf:3, useless-weight/lb2.conf:3  vrrp_instance db / interface bond0                  vip: interface
#   useless-weight/lb1.conf:4, useless-weight/lb2.conf:4  vrrp_instance db / virtual_router_id 7              virtual_router: vrid
#   useless-weight/lb1.conf:6, useless-weight/lb2.conf:6  vrrp_instance db / virtual_ipaddress                vip: address
#   useless-weight/lb1.conf:6, useless-weight/lb2.conf:6  vrrp_instance db / virtual_ipaddress / 10.1.1.1/16  vip "db": address
#   useless-weight/lb1.conf:7, useless-weight/lb2.conf:7  vrrp_instance db / track_script                     node_check: vips, groups
#   useless-weight/lb1.conf:7, useless-weight/lb2.conf:7  vrrp_instance db / track_script / db                node_check "db": weight = -5
#
