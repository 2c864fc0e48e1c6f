# Made from keepalived.conf by `quorate import keepalived`.
#
# unsupported:
#   vsg.conf:24: virtual_server group missing: there is no virtual_server_group "missing"; correct it, then import again
#
# changed meaning:
#   vsg.conf:3: vrrp_instance V / virtual_router_id 9: the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   vsg.conf:16: virtual_server group shops: a range of addresses that are no VIPs: the network has to route them to the owner of the VIP; look whether it does

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# VIPs that always have the same owner, and where they go.
# vsg.conf:1
group "V" {
}

# How the cluster takes part in VRRP as one router, beside keepalived and others, for the VIPs that name it: what keepalived has as one vrrp_instance. They are of one family, on one network and interface, and in one group if they are several. Adverts have their addresses in the order of the VIPs' names, of IPv6 the link-local ones first.
# vsg.conf:3
virtual_router "V" {
  vrid    = 9
  version = 2
}

# A virtual IP address, which one node at a time owns.
# vsg.conf:5
vip "192.0.2.50" {
  address        = "192.0.2.50/24"
  interface      = "eth0"
  group          = "V"
  virtual_router = "V"
}

# vsg.conf:6
vip "192.0.2.51" {
  address        = "192.0.2.51/24"
  interface      = "eth0"
  group          = "V"
  virtual_router = "V"
}

# vsg.conf:7
vip "192.0.2.52" {
  address        = "192.0.2.52/24"
  interface      = "eth0"
  group          = "V"
  virtual_router = "V"
}

# A virtual service: traffic to a port of a VIP, spread over real servers.
# vsg.conf:16
service "fwmark-99" {
  vip       = "192.0.2.50"
  fwmark    = 99
  scheduler = "wlc"
  forward   = "dr"

  check "tcp" {
    port          = 80
    interval      = "1m"
    fast_interval = "2s"
    timeout       = "2s"
    rise          = 1
    fall          = 2
  }

  server "10.0.0.1:0" { weight = 1 }
}

# vsg.conf:16
service "shops-tcp-443" {
  vip       = "192.0.2.50"
  port      = 443
  protocol  = "tcp"
  scheduler = "wlc"
  forward   = "dr"

  check "tcp" {
    port          = 80
    interval      = "1m"
    fast_interval = "2s"
    timeout       = "2s"
    rise          = 1
    fall          = 2
  }

  server "10.0.0.1:443" { weight = 1 }
}

# vsg.conf:16
service "shops-tcp-80" {
  vips      = ["192.0.2.50", "192.0.2.51", "192.0.2.52"]
  ports     = ["80"]
  addresses = ["198.51.100.0/28"]
  protocol  = "tcp"
  scheduler = "wlc"
  forward   = "dr"

  check "tcp" {
    interval      = "1m"
    fast_interval = "2s"
    timeout       = "2s"
    rise          = 1
    fall          = 2
  }

  server "10.0.0.1:80" { weight = 1 }
}

# All findings:
# unsupported (2)
#   vsg.conf:24  virtual_server group missing                 there is no virtual_server_group "missing"; correct it, then import again
#   vsg.conf:25  virtual_server group missing / protocol TCP  it is part of virtual_server
#
# changed meaning (2)
#   vsg.conf:3   vrrp_instance V / virtual_router_id 9  the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   vsg.conf:16  virtual_server group shops             a range of addresses that are no VIPs: the network has to route them to the owner of the VIP; look whether it does
#
# ignored: not needed (2)
#   vsg.conf:21  virtual_server_group unused                  nothing uses it
#   vsg.conf:22  virtual_server_group unused / 192.0.2.60 80  it is part of virtual_server_group
#
# mapped (17)
#   vsg.conf:1   vrrp_instance V                                                                       group "V"
#   vsg.conf:2   vrrp_instance V / interface eth0                                                      vip: interface
#   vsg.conf:3   vrrp_instance V / virtual_router_id 9                                                 virtual_router: vrid
#   vsg.conf:4   vrrp_instance V / virtual_ipaddress                                                   vip: address
#   vsg.conf:5   vrrp_instance V / virtual_ipaddress / 192.0.2.50/24                                   vip "192.0.2.50": address
#   vsg.conf:6   vrrp_instance V / virtual_ipaddress / 192.0.2.51/24                                   vip "192.0.2.51": address
#   vsg.conf:7   vrrp_instance V / virtual_ipaddress / 192.0.2.52/24                                   vip "192.0.2.52": address
#   vsg.conf:10  virtual_server_group shops                                                            services: vips, addresses, port, fwmark
#   vsg.conf:11  virtual_server_group shops / 192.0.2.50-52 80                                         service: vips, addresses, port
#   vsg.conf:12  virtual_server_group shops / 192.0.2.50 443                                           service: vips, addresses, port
#   vsg.conf:13  virtual_server_group shops / 198.51.100.0/28 80                                       service: vips, addresses, port
#   vsg.conf:14  virtual_server_group shops / fwmark 99                                                service: fwmark
#   vsg.conf:17  virtual_server group shops / protocol TCP                                             protocol
#   vsg.conf:18  virtual_server group shops / lvs_method DR                                            forward, tunnel
#   vsg.conf:19  virtual_server group shops / real_server 10.0.0.1 80                                  server "10.0.0.1:80"
#   vsg.conf:19  virtual_server group shops / real_server 10.0.0.1 80 / TCP_CHECK                      check "tcp"
#   vsg.conf:19  virtual_server group shops / real_server 10.0.0.1 80 / TCP_CHECK / connect_timeout 2  check: timeout, for the whole probe
#
