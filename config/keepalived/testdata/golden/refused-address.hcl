# Made from keepalived.conf by `quorate import keepalived`.
#
# unsupported:
#   refused-address.conf:4: vrrp_instance R / virtual_ipaddress / 10.20.0.0/24: vip.10.20.0.0 was left out, as it would be refused: address = "10.20.0.0/24": this is the address of the network itself; use an address of a host in it, and import again or add it by hand
#   refused-address.conf:5: vrrp_instance R / virtual_ipaddress / 10.20.0.255/24: vip.10.20.0.255 was left out, as it would be refused: address = "10.20.0.255/24": this is the broadcast address of the network; use an address of a host in it, and import again or add it by hand
#   refused-address.conf:6: vrrp_instance R / virtual_ipaddress / 224.0.0.1/24: vip.224.0.0.1 was left out, as it would be refused: address = "224.0.0.1/24": this is not an address that a host can own on a network; use a unicast address, and import again or add it by hand
#   refused-address.conf:9: vrrp_instance R / track_interface / an interface with a long name: node_check.link-an-interface-with-a-long-name was left out, as it would be refused: interface = "an interface with a long name": this is no name of a network interface; use a name that `ip link` shows, and import again or add it by hand
#   refused-address.conf:11: virtual_server 10.20.0.255 80: service.tcp-10.20.0.255-80 was left out, as it would be refused: vip = "10.20.0.255": there is no such vip; add vip "10.20.0.255", or correct the name, and import again or add it by hand
#
# changed meaning:
#   refused-address.conf:2: vrrp_instance R / virtual_router_id 20: the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# VIPs that always have the same owner, and where they go.
# refused-address.conf:1
group "R" {
}

# How the cluster takes part in VRRP as one router, beside keepalived and others, for the VIPs that name it: what keepalived has as one vrrp_instance. They are of one family, on one network and interface, and in one group if they are several. Adverts have their addresses in the order of the VIPs' names, of IPv6 the link-local ones first.
# refused-address.conf:2
virtual_router "R" {
  vrid    = 20
  version = 2
}

# A virtual IP address, which one node at a time owns.
# refused-address.conf:7
vip "10.20.0.5" {
  address        = "10.20.0.5/24"
  interface      = "eth0"
  group          = "R"
  virtual_router = "R"
}

# All findings:
# unsupported (7)
#   refused-address.conf:4   vrrp_instance R / virtual_ipaddress / 10.20.0.0/24                 vip.10.20.0.0 was left out, as it would be refused: address = "10.20.0.0/24": this is the address of the network itself; use an address of a host in it, and import again or add it by hand
#   refused-address.conf:5   vrrp_instance R / virtual_ipaddress / 10.20.0.255/24               vip.10.20.0.255 was left out, as it would be refused: address = "10.20.0.255/24": this is the broadcast address of the network; use an address of a host in it, and import again or add it by hand
#   refused-address.conf:6   vrrp_instance R / virtual_ipaddress / 224.0.0.1/24                 vip.224.0.0.1 was left out, as it would be refused: address = "224.0.0.1/24": this is not an address that a host can own on a network; use a unicast address, and import again or add it by hand
#   refused-address.conf:9   vrrp_instance R / track_interface / an interface with a long name  node_check.link-an-interface-with-a-long-name was left out, as it would be refused: interface = "an interface with a long name": this is no name of a network interface; use a name that `ip link` shows, and import again or add it by hand
#   refused-address.conf:11  virtual_server 10.20.0.255 80                                      service.tcp-10.20.0.255-80 was left out, as it would be refused: vip = "10.20.0.255": there is no such vip; add vip "10.20.0.255", or correct the name, and import again or add it by hand
#   refused-address.conf:11  virtual_server 10.20.0.255 80 / protocol TCP                       it is part of virtual_server
#   refused-address.conf:12  virtual_server 10.20.0.255 80 / real_server 10.20.1.1 80           it is part of virtual_server
#
# changed meaning (1)
#   refused-address.conf:2  vrrp_instance R / virtual_router_id 20  the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#
# mapped (6)
#   refused-address.conf:1  vrrp_instance R                                     group "R"
#   refused-address.conf:1  vrrp_instance R / interface eth0                    vip: interface
#   refused-address.conf:2  vrrp_instance R / virtual_router_id 20              virtual_router: vrid
#   refused-address.conf:3  vrrp_instance R / virtual_ipaddress                 vip: address
#   refused-address.conf:7  vrrp_instance R / virtual_ipaddress / 10.20.0.5/24  vip "10.20.0.5": address
#   refused-address.conf:9  vrrp_instance R / track_interface                   node_check: vips, groups
#
