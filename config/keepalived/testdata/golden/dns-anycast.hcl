# Made from keepalived.conf by `quorate import keepalived`.
#
# changed meaning:
#   dns-anycast.conf:3: vrrp_instance dns4 / virtual_router_id 53: the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# How the cluster takes part in VRRP as one router, beside keepalived and others, for the VIPs that name it: what keepalived has as one vrrp_instance. They are of one family, on one network and interface, and in one group if they are several. Adverts have their addresses in the order of the VIPs' names, of IPv6 the link-local ones first.
# dns-anycast.conf:3
virtual_router "dns4" {
  vrid    = 53
  version = 2
}

# A virtual IP address, which one node at a time owns.
# dns-anycast.conf:4
vip "dns4" {
  address        = "10.14.0.53/32"
  interface      = "lo"
  virtual_router = "dns4"
}

# A virtual service: traffic to a port of a VIP, spread over real servers.
# dns-anycast.conf:14
service "tcp-10.14.0.53-53" {
  vip       = "dns4"
  port      = 53
  protocol  = "tcp"
  scheduler = "sed"
  forward   = "nat"

  check "tcp" {
    interval      = "1m"
    fast_interval = "5s"
    timeout       = "5s"
    rise          = 1
    fall          = 2
  }
  check "dns" {
    interval = "1m"
    timeout  = "2s"
    rise     = 1
    fall     = 4
    name     = "www.example.org"
    record   = "A"
  }

  server "10.14.1.1:53" { weight = 1 }
}

# dns-anycast.conf:6
service "udp-10.14.0.53-53" {
  vip             = "dns4"
  port            = 53
  protocol        = "udp"
  scheduler       = "mh"
  scheduler_flags = ["mh-fallback", "mh-port"]
  forward         = "nat"

  check "dns" {
    interval = "1m"
    timeout  = "5s"
    rise     = 1
    fall     = 4
  }

  server "10.14.1.1:53" { weight = 1 }
}

# All findings:
# changed meaning (1)
#   dns-anycast.conf:3  vrrp_instance dns4 / virtual_router_id 53  the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#
# mapped (23)
#   dns-anycast.conf:1                        vrrp_instance dns4                                                                          vip "dns4"
#   dns-anycast.conf:2                        vrrp_instance dns4 / interface lo                                                           vip: interface
#   dns-anycast.conf:3                        vrrp_instance dns4 / virtual_router_id 53                                                   virtual_router: vrid
#   dns-anycast.conf:4                        vrrp_instance dns4 / virtual_ipaddress                                                      vip: address
#   dns-anycast.conf:4                        vrrp_instance dns4 / virtual_ipaddress / 10.14.0.53 dev lo                                  vip "dns4": address
#   dns-anycast.conf:6                        virtual_server 10.14.0.53 53                                                                service "udp-10.14.0.53-53"
#   dns-anycast.conf:7                        virtual_server 10.14.0.53 53 / protocol UDP                                                 protocol
#   dns-anycast.conf:8                        virtual_server 10.14.0.53 53 / lb_algo mh                                                   scheduler
#   dns-anycast.conf:9                        virtual_server 10.14.0.53 53 / mh-port                                                      scheduler_flags
#   dns-anycast.conf:10                       virtual_server 10.14.0.53 53 / mh-fallback                                                  scheduler_flags
#   dns-anycast.conf:11, dns-anycast.conf:17  virtual_server 10.14.0.53 53 / lb_kind NAT                                                  forward, tunnel
#   dns-anycast.conf:12, dns-anycast.conf:18  virtual_server 10.14.0.53 53 / real_server 10.14.1.1 53                                     server "10.14.1.1:53"
#   dns-anycast.conf:12, dns-anycast.conf:18  virtual_server 10.14.0.53 53 / real_server 10.14.1.1 53 / DNS_CHECK                         check "dns"
#   dns-anycast.conf:14                       virtual_server 10.14.0.53 53                                                                service "tcp-10.14.0.53-53"
#   dns-anycast.conf:15                       virtual_server 10.14.0.53 53 / protocol TCP                                                 protocol
#   dns-anycast.conf:16                       virtual_server 10.14.0.53 53 / lb_algo sed                                                  scheduler
#   dns-anycast.conf:18                       virtual_server 10.14.0.53 53 / real_server 10.14.1.1 53 / TCP_CHECK                         check "tcp"
#   dns-anycast.conf:18                       virtual_server 10.14.0.53 53 / real_server 10.14.1.1 53 / DNS_CHECK / name www.example.org  check: name
#   dns-anycast.conf:19                       virtual_server 10.14.0.53 53 / real_server 10.14.1.1 53 / DNS_CHECK / type A                check: record
#   dns-anycast.conf:20                       virtual_server 10.14.0.53 53 / real_server 10.14.1.1 53 / DNS_CHECK / connect_timeout 2     check: timeout, for the whole probe
#
