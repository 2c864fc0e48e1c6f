# Made from keepalived.conf by `quorate import keepalived`.
#
# unsupported:
#   fwmark.conf:16: virtual_server fwmark 8: there is not exactly one VIP of its address family that could say which node balances a firewall mark; add it by hand, with vip = "NAME"
#
# changed meaning:
#   fwmark.conf:2: vrrp_instance V / virtual_router_id 9: the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   fwmark.conf:4: virtual_server fwmark 7: service "fwmark-7": vip = "V" says which node balances the mark; look whether that is the address that the packets are for
#   fwmark.conf:12, fwmark.conf:14: misc_path: it runs as quorate_script where there is such a user, else as nobody; keepalived takes keepalived_script, else root; set user = "…" if that does not do

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# How the cluster takes part in VRRP as one router, beside keepalived and others, for the VIPs that name it: what keepalived has as one vrrp_instance. They are of one family, on one network and interface, and in one group if they are several. Adverts have their addresses in the order of the VIPs' names, of IPv6 the link-local ones first.
# fwmark.conf:2
virtual_router "V" {
  vrid    = 9
  version = 2
}

# A virtual IP address, which one node at a time owns.
# fwmark.conf:3
vip "V" {
  address        = "192.0.2.40/24"
  interface      = "eth0"
  virtual_router = "V"
}

# A virtual service: traffic to a port of a VIP, spread over real servers.
# fwmark.conf:4
service "fwmark-7" {
  vip                = "V"
  fwmark             = 7
  scheduler          = "sh"
  scheduler_flags    = ["sh-fallback", "sh-port"]
  persistence        = "5m"
  persistence_prefix = 24
  forward            = "tun"

  check "script" {
    interval = "1m"
    timeout  = "1m"
    rise     = 1
    fall     = 1
    command  = ["/usr/bin/true"]
  }

  server "10.0.0.1:0" { weight = 1 }
  server "10.0.0.2:0" { weight = 2 }
}

# All findings:
# unsupported (5)
#   fwmark.conf:16  virtual_server fwmark 8                               there is not exactly one VIP of its address family that could say which node balances a firewall mark; add it by hand, with vip = "NAME"
#   fwmark.conf:17  virtual_server fwmark 8 / ip_family inet6             it is part of virtual_server
#   fwmark.conf:18  virtual_server fwmark 8 / lb_algo rr                  it is part of virtual_server
#   fwmark.conf:19  virtual_server fwmark 8 / lb_kind DR                  it is part of virtual_server
#   fwmark.conf:20  virtual_server fwmark 8 / real_server 2001:db8::1 80  it is part of virtual_server
#
# changed meaning (4)
#   fwmark.conf:2   vrrp_instance V / virtual_router_id 9                                                    the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   fwmark.conf:4   virtual_server fwmark 7                                                                  service "fwmark-7": vip = "V" says which node balances the mark; look whether that is the address that the packets are for
#   fwmark.conf:12  virtual_server fwmark 7 / real_server 10.0.0.1 0 / MISC_CHECK / misc_path /usr/bin/true  it runs as quorate_script where there is such a user, else as nobody; keepalived takes keepalived_script, else root; set user = "…" if that does not do
#   fwmark.conf:14  virtual_server fwmark 7 / real_server 10.0.0.2 / MISC_CHECK / misc_path /usr/bin/true    it runs as quorate_script where there is such a user, else as nobody; keepalived takes keepalived_script, else root; set user = "…" if that does not do
#
# mapped (17)
#   fwmark.conf:1   vrrp_instance V                                                  vip "V"
#   fwmark.conf:1   vrrp_instance V / interface eth0                                 vip: interface
#   fwmark.conf:2   vrrp_instance V / virtual_router_id 9                            virtual_router: vrid
#   fwmark.conf:3   vrrp_instance V / virtual_ipaddress                              vip: address
#   fwmark.conf:3   vrrp_instance V / virtual_ipaddress / 192.0.2.40/24              vip "V": address
#   fwmark.conf:5   virtual_server fwmark 7 / lb_algo sh                             scheduler
#   fwmark.conf:6   virtual_server fwmark 7 / sh-port                                scheduler_flags
#   fwmark.conf:7   virtual_server fwmark 7 / sh-fallback                            scheduler_flags
#   fwmark.conf:8   virtual_server fwmark 7 / lb_kind TUN                            forward, tunnel
#   fwmark.conf:9   virtual_server fwmark 7 / persistence_timeout 300                persistence
#   fwmark.conf:10  virtual_server fwmark 7 / persistence_granularity 255.255.255.0  persistence_prefix
#   fwmark.conf:11  virtual_server fwmark 7 / real_server 10.0.0.1 0                 server "10.0.0.1:0"
#   fwmark.conf:11  virtual_server fwmark 7 / real_server 10.0.0.1 0 / weight 1      server: weight
#   fwmark.conf:12  virtual_server fwmark 7 / real_server 10.0.0.1 0 / MISC_CHECK    check "script"
#   fwmark.conf:13  virtual_server fwmark 7 / real_server 10.0.0.2                   server "10.0.0.2:0"
#   fwmark.conf:13  virtual_server fwmark 7 / real_server 10.0.0.2 / weight 2        server: weight
#   fwmark.conf:14  virtual_server fwmark 7 / real_server 10.0.0.2 / MISC_CHECK      check "script"
#
