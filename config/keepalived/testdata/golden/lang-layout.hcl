# Made from keepalived.conf by `quorate import keepalived`.
#
# changed meaning:
#   lang-layout.conf:4, lang-layout.conf:10, lang-layout.conf:13: virtual_router_id: the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# How the cluster takes part in VRRP as one router, beside keepalived and others, for the VIPs that name it: what keepalived has as one vrrp_instance. They are of one family, on one network and interface, and in one group if they are several. Adverts have their addresses in the order of the VIPs' names, of IPv6 the link-local ones first.
# lang-layout.conf:4
virtual_router "one" {
  vrid    = 5
  version = 2
}

# lang-layout.conf:13
virtual_router "three" {
  vrid    = 7
  version = 2
}

# lang-layout.conf:10
virtual_router "two" {
  vrid    = 6
  version = 2
}

# A virtual IP address, which one node at a time owns.
# lang-layout.conf:7
vip "one" {
  address        = "10.6.0.1/24"
  interface      = "eth0"
  virtual_router = "one"
}

# lang-layout.conf:14
vip "three" {
  address        = "10.6.0.3/24"
  interface      = "eth0"
  virtual_router = "three"
}

# lang-layout.conf:11
vip "two" {
  address        = "10.6.0.2/24"
  interface      = "eth0"
  virtual_router = "two"
}

# All findings:
# changed meaning (3)
#   lang-layout.conf:4   vrrp_instance one / virtual_router_id 5    the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   lang-layout.conf:10  vrrp_instance two / virtual_router_id 6    the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   lang-layout.conf:13  vrrp_instance three / virtual_router_id 7  the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#
# mapped (15)
#   lang-layout.conf:1   vrrp_instance   one                                    vip "one"
#   lang-layout.conf:3   vrrp_instance one / interface eth0                     vip: interface
#   lang-layout.conf:4   vrrp_instance one / virtual_router_id 5                virtual_router: vrid
#   lang-layout.conf:5   vrrp_instance one / virtual_ipaddress                  vip: address
#   lang-layout.conf:7   vrrp_instance one / virtual_ipaddress / 10.6.0.1/24    vip "one": address
#   lang-layout.conf:9   vrrp_instance two                                      vip "two"
#   lang-layout.conf:9   vrrp_instance two / interface eth0                     vip: interface
#   lang-layout.conf:10  vrrp_instance two / virtual_router_id 6                virtual_router: vrid
#   lang-layout.conf:11  vrrp_instance two / virtual_ipaddress                  vip: address
#   lang-layout.conf:11  vrrp_instance two / virtual_ipaddress / 10.6.0.2/24    vip "two": address
#   lang-layout.conf:12  vrrp_instance three                                    vip "three"
#   lang-layout.conf:12  vrrp_instance three / interface "eth0"                 vip: interface
#   lang-layout.conf:13  vrrp_instance three / virtual_router_id 7              virtual_router: vrid
#   lang-layout.conf:14  vrrp_instance three / virtual_ipaddress                vip: address
#   lang-layout.conf:14  vrrp_instance three / virtual_ipaddress / 10.6.0.3/24  vip "three": address
#
