# Made from keepalived.conf by `quorate import keepalived`.
#
# unsupported:
#   ipv6.conf:10: vrrp_instance six / virtual_ipaddress / 2001:db8:1::10/64 preferred_lft 0: an address has a prefix length and an interface alone; left out: preferred_lft 0; look whether something relies on it
#
# changed meaning:
#   ipv6.conf:3: vrrp_instance six / virtual_router_id 66: the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   ipv6.conf:4: vrrp_instance six / priority 200: the files of the other directors are not here, so that nobody is preferred; beside keepalived the cluster as a whole has one priority, 254; give them all, each with --node NAME=FILE, or write prefer by hand

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# VIPs that always have the same owner, and where they go.
# ipv6.conf:1
group "six" {
}

# How the cluster takes part in VRRP as one router, beside keepalived and others, for the VIPs that name it: what keepalived has as one vrrp_instance. They are of one family, on one network and interface, and in one group if they are several. Adverts have their addresses in the order of the VIPs' names, of IPv6 the link-local ones first.
# ipv6.conf:3, ipv6.conf:6, ipv6.conf:5
virtual_router "six" {
  vrid     = 66
  interval = "200ms"
}

# A virtual IP address, which one node at a time owns.
# ipv6.conf:13
vip "192.0.2.66" {
  address   = "192.0.2.66/24"
  interface = "eth1"
  group     = "six"
}

# ipv6.conf:10
vip "2001-db8-1--10" {
  address        = "2001:db8:1::10/64"
  interface      = "eth0"
  group          = "six"
  virtual_router = "six"
}

# ipv6.conf:9
vip "fe80--66-1" {
  address        = "fe80::66:1/64"
  interface      = "eth0"
  group          = "six"
  virtual_router = "six"
}

# A virtual service: traffic to a port of a VIP, spread over real servers.
# ipv6.conf:16
service "tcp-2001-db8-1--10-80" {
  vip                = "2001-db8-1--10"
  port               = 80
  protocol           = "tcp"
  scheduler          = "wlc"
  persistence        = "6m"
  persistence_prefix = 64
  forward            = "nat"

  check "tcp" {
    interval      = "1m"
    fast_interval = "5s"
    timeout       = "5s"
    rise          = 1
    fall          = 2
  }

  server "[2001:db8:2::1]:80" { weight = 1 }
}

# All findings:
# unsupported (1)
#   ipv6.conf:10  vrrp_instance six / virtual_ipaddress / 2001:db8:1::10/64 preferred_lft 0  an address has a prefix length and an interface alone; left out: preferred_lft 0; look whether something relies on it
#
# changed meaning (2)
#   ipv6.conf:3  vrrp_instance six / virtual_router_id 66  the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   ipv6.conf:4  vrrp_instance six / priority 200          the files of the other directors are not here, so that nobody is preferred; beside keepalived the cluster as a whole has one priority, 254; give them all, each with --node NAME=FILE, or write prefer by hand
#
# ignored: not needed (1)
#   ipv6.conf:7  vrrp_instance six / native_ipv6  the addresses say which family it is
#
# mapped (16)
#   ipv6.conf:1   vrrp_instance six                                                            group "six"
#   ipv6.conf:2   vrrp_instance six / interface eth0                                           vip: interface
#   ipv6.conf:3   vrrp_instance six / virtual_router_id 66                                     virtual_router: vrid
#   ipv6.conf:5   vrrp_instance six / version 3                                                virtual_router: version
#   ipv6.conf:6   vrrp_instance six / advert_int 0.2                                           virtual_router: interval
#   ipv6.conf:8   vrrp_instance six / virtual_ipaddress                                        vip: address
#   ipv6.conf:9   vrrp_instance six / virtual_ipaddress / fe80::66:1/64                        vip "fe80--66-1": address
#   ipv6.conf:12  vrrp_instance six / virtual_ipaddress_excluded                               vip: address
#   ipv6.conf:13  vrrp_instance six / virtual_ipaddress_excluded / 192.0.2.66/24 dev eth1      vip "192.0.2.66": address
#   ipv6.conf:16  virtual_server 2001:db8:1::10 80                                             service "tcp-2001-db8-1--10-80"
#   ipv6.conf:17  virtual_server 2001:db8:1::10 80 / protocol TCP                              protocol
#   ipv6.conf:18  virtual_server 2001:db8:1::10 80 / lvs_method NAT                            forward, tunnel
#   ipv6.conf:19  virtual_server 2001:db8:1::10 80 / persistence_timeout                       persistence
#   ipv6.conf:20  virtual_server 2001:db8:1::10 80 / persistence_granularity 64                persistence_prefix
#   ipv6.conf:21  virtual_server 2001:db8:1::10 80 / real_server 2001:db8:2::1 80              server "[2001:db8:2::1]:80"
#   ipv6.conf:21  virtual_server 2001:db8:1::10 80 / real_server 2001:db8:2::1 80 / TCP_CHECK  check "tcp"
#
