# Made from keepalived.conf by `quorate import keepalived`.
#
# mistake in the source:
#   vrrp-lists/lb1.conf:10, vrrp-lists/lb2.conf:10: vrrp_instance lists / virtual_ipaddress / 2001:db8:91::1/64: the addresses of adverts are of one family, and keepalived leaves this one out; put it into virtual_ipaddress_excluded, or into an instance of its own, then import again
#
# unsupported:
#   vrrp-lists/lb1.conf:9: vrrp_instance lists / virtual_ipaddress / 10.91.1.1/24 dev eth1: vip "10.91.1.1" has no virtual router: the address is on another interface than the adverts that it is in, and adverts of the cluster have the addresses of one interface; put it into virtual_ipaddress_excluded on all directors first; keepalived up to 2.3.2 drops adverts with another list of addresses
#   vrrp-lists/lb1.conf:19, vrrp-lists/lb2.conf:19: vrrp_instance elsewhere / virtual_router_id 92: no virtual router was made of the instance: none of its addresses is in adverts on its own interface
#   vrrp-lists/lb1.conf:22: vrrp_instance elsewhere / virtual_ipaddress / 10.92.0.1/24 dev eth3: vip "elsewhere" has no virtual router: the address is on another interface than the adverts that it is in, and adverts of the cluster have the addresses of one interface; put it into virtual_ipaddress_excluded on all directors first; keepalived up to 2.3.2 drops adverts with another list of addresses
#
# changed meaning:
#   vrrp-lists/lb1.conf:5, vrrp-lists/lb2.conf:5: priority: it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 150 at most

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# VIPs that always have the same owner, and where they go.
# vrrp-lists/lb1.conf:2, vrrp-lists/lb2.conf:2
group "lists" {
  prefer  = ["lb1", "lb2"]
  preempt = true
}

# How the cluster takes part in VRRP as one router, beside keepalived and others, for the VIPs that name it: what keepalived has as one vrrp_instance. They are of one family, on one network and interface, and in one group if they are several. Adverts have their addresses in the order of the VIPs' names, of IPv6 the link-local ones first.
# vrrp-lists/lb1.conf:4, vrrp-lists/lb2.conf:4, vrrp-lists/lb1.conf:6, vrrp-lists/lb2.conf:6
virtual_router "lists" {
  vrid    = 91
  version = 2
  peers   = ["10.91.0.2", "10.91.0.3"]
}

# A virtual IP address, which one node at a time owns.
# vrrp-lists/lb1.conf:8, vrrp-lists/lb2.conf:8
vip "10.91.0.1" {
  address        = "10.91.0.1/24"
  interface      = "eth0"
  group          = "lists"
  virtual_router = "lists"
}

# vrrp-lists/lb1.conf:13, vrrp-lists/lb2.conf:13
vip "10.91.0.9" {
  address   = "10.91.0.9/24"
  interface = "eth0"
  group     = "lists"
}

# vrrp-lists/lb1.conf:9, vrrp-lists/lb2.conf:9
vip "10.91.1.1" {
  address   = "10.91.1.1/24"
  interface = "eth1"
  group     = "lists"
}

# vrrp-lists/lb1.conf:14, vrrp-lists/lb2.conf:14
vip "2001-db8-91--9" {
  address   = "2001:db8:91::9/64"
  interface = "eth1"
  group     = "lists"
}

# vrrp-lists/lb1.conf:22, vrrp-lists/lb2.conf:22
vip "elsewhere" {
  address   = "10.92.0.1/24"
  interface = "eth3"
  prefer    = ["lb1", "lb2"]
  preempt   = true
}

# All findings:
# mistake in the source (2)
#   vrrp-lists/lb1.conf:10, vrrp-lists/lb2.conf:10  vrrp_instance lists / virtual_ipaddress / 2001:db8:91::1/64  the addresses of adverts are of one family, and keepalived leaves this one out; put it into virtual_ipaddress_excluded, or into an instance of its own, then import again
#
# unsupported (4)
#   vrrp-lists/lb1.conf:9                           vrrp_instance lists / virtual_ipaddress / 10.91.1.1/24 dev eth1      vip "10.91.1.1" has no virtual router: the address is on another interface than the adverts that it is in, and adverts of the cluster have the addresses of one interface; put it into virtual_ipaddress_excluded on all directors first; keepalived up to 2.3.2 drops adverts with another list of addresses
#   vrrp-lists/lb1.conf:19, vrrp-lists/lb2.conf:19  vrrp_instance elsewhere / virtual_router_id 92                       no virtual router was made of the instance: none of its addresses is in adverts on its own interface
#   vrrp-lists/lb1.conf:22                          vrrp_instance elsewhere / virtual_ipaddress / 10.92.0.1/24 dev eth3  vip "elsewhere" has no virtual router: the address is on another interface than the adverts that it is in, and adverts of the cluster have the addresses of one interface; put it into virtual_ipaddress_excluded on all directors first; keepalived up to 2.3.2 drops adverts with another list of addresses
#
# changed meaning (2)
#   vrrp-lists/lb1.conf:5  vrrp_instance lists / priority 150  it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 150 at most
#   vrrp-lists/lb2.conf:5  vrrp_instance lists / priority 100  it is for the order in prefer; beside keepalived the cluster as a whole has one priority, that of the virtual_router: 254, above those of the directors, which come to 150 at most
#
# mapped (28)
#   vrrp-lists/lb1.conf:2, vrrp-lists/lb2.conf:2    vrrp_instance lists                                                            group "lists"
#   vrrp-lists/lb1.conf:3, vrrp-lists/lb2.conf:3    vrrp_instance lists / interface eth0                                           vip: interface
#   vrrp-lists/lb1.conf:4, vrrp-lists/lb2.conf:4    vrrp_instance lists / virtual_router_id 91                                     virtual_router: vrid
#   vrrp-lists/lb1.conf:6                           vrrp_instance lists / mcast_src_ip 10.91.0.2                                   virtual_router: peers
#   vrrp-lists/lb1.conf:7, vrrp-lists/lb2.conf:7    vrrp_instance lists / virtual_ipaddress                                        vip: address
#   vrrp-lists/lb1.conf:8, vrrp-lists/lb2.conf:8    vrrp_instance lists / virtual_ipaddress / 10.91.0.1/24                         vip "10.91.0.1": address
#   vrrp-lists/lb1.conf:12, vrrp-lists/lb2.conf:12  vrrp_instance lists / virtual_ipaddress_excluded                               vip: address
#   vrrp-lists/lb1.conf:13, vrrp-lists/lb2.conf:13  vrrp_instance lists / virtual_ipaddress_excluded / 10.91.0.9/24                vip "10.91.0.9": address
#   vrrp-lists/lb1.conf:14, vrrp-lists/lb2.conf:14  vrrp_instance lists / virtual_ipaddress_excluded / 2001:db8:91::9/64 dev eth1  vip "2001-db8-91--9": address
#   vrrp-lists/lb1.conf:17, vrrp-lists/lb2.conf:17  vrrp_instance elsewhere                                                        vip "elsewhere"
#   vrrp-lists/lb1.conf:18, vrrp-lists/lb2.conf:18  vrrp_instance elsewhere / interface eth2                                       vip: interface
#   vrrp-lists/lb1.conf:20                          vrrp_instance elsewhere / priority 150                                         vip "elsewhere": prefer
#   vrrp-lists/lb1.conf:21, vrrp-lists/lb2.conf:21  vrrp_instance elsewhere / virtual_ipaddress                                    vip: address
#   vrrp-lists/lb2.conf:6                           vrrp_instance lists / mcast_src_ip 10.91.0.3                                   virtual_router: peers
#   vrrp-lists/lb2.conf:9                           vrrp_instance lists / virtual_ipaddress / 10.91.1.1/24 dev eth1                vip "10.91.1.1": address
#   vrrp-lists/lb2.conf:20                          vrrp_instance elsewhere / priority 100                                         vip "elsewhere": prefer
#   vrrp-lists/lb2.conf:22                          vrrp_instance elsewhere / virtual_ipaddress / 10.92.0.1/24 dev eth3            vip "elsewhere": address
#
