# Made from keepalived.conf by `quorate import keepalived`.
#
# unsupported:
#   ftp-all-ports.conf:12: virtual_server 10.15.0.22: service.tcp-10.15.0.22-0 was left out, as it would be refused: port = "0": it stands for all ports, and the connections of a client would not come to one server; use 1 to 65535, or set persistence = "6m", and import again or add it by hand
#
# changed meaning:
#   ftp-all-ports.conf:2: vrrp_instance ftp / virtual_router_id 21: the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   ftp-all-ports.conf:12: virtual_server 10.15.0.22: no vrrp_instance has the address: vip "10.15.0.22" was made for it; give it the prefix length of its subnet; if it has to move together with others, put it into their group

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# How the cluster takes part in VRRP as one router, beside keepalived and others, for the VIPs that name it: what keepalived has as one vrrp_instance. They are of one family, on one network and interface, and in one group if they are several. Adverts have their addresses in the order of the VIPs' names, of IPv6 the link-local ones first.
# ftp-all-ports.conf:2
virtual_router "ftp" {
  vrid    = 21
  version = 2
}

# A virtual IP address, which one node at a time owns.
# ftp-all-ports.conf:12
vip "10.15.0.22" {
  address = "10.15.0.22/32"
}

# ftp-all-ports.conf:3
vip "ftp" {
  address        = "10.15.0.21/24"
  interface      = "eth0"
  virtual_router = "ftp"
}

# A virtual service: traffic to a port of a VIP, spread over real servers.
# ftp-all-ports.conf:4
service "tcp-10.15.0.21-0" {
  vip         = "ftp"
  port        = 0
  protocol    = "tcp"
  scheduler   = "wlc"
  persistence = "1h"
  forward     = "dr"

  check "tcp" {
    port          = 21
    interval      = "1m"
    fast_interval = "5s"
    timeout       = "5s"
    rise          = 1
    fall          = 2
  }

  server "10.15.0.31:0" { weight = 1 }
  server "10.15.0.32:0" { weight = 1 }
}

# All findings:
# unsupported (3)
#   ftp-all-ports.conf:12  virtual_server 10.15.0.22                           service.tcp-10.15.0.22-0 was left out, as it would be refused: port = "0": it stands for all ports, and the connections of a client would not come to one server; use 1 to 65535, or set persistence = "6m", and import again or add it by hand
#   ftp-all-ports.conf:13  virtual_server 10.15.0.22 / protocol TCP            it is part of virtual_server
#   ftp-all-ports.conf:14  virtual_server 10.15.0.22 / real_server 10.15.0.31  it is part of virtual_server
#
# changed meaning (2)
#   ftp-all-ports.conf:2   vrrp_instance ftp / virtual_router_id 21  the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing; give --peer ADDRESS for each director, its address on that interface, or add peers = ["…"] by hand
#   ftp-all-ports.conf:12  virtual_server 10.15.0.22                 no vrrp_instance has the address: vip "10.15.0.22" was made for it; give it the prefix length of its subnet; if it has to move together with others, put it into their group
#
# mapped (16)
#   ftp-all-ports.conf:1   vrrp_instance ftp                                                                     vip "ftp"
#   ftp-all-ports.conf:1   vrrp_instance ftp / interface eth0                                                    vip: interface
#   ftp-all-ports.conf:2   vrrp_instance ftp / virtual_router_id 21                                              virtual_router: vrid
#   ftp-all-ports.conf:3   vrrp_instance ftp / virtual_ipaddress                                                 vip: address
#   ftp-all-ports.conf:3   vrrp_instance ftp / virtual_ipaddress / 10.15.0.21/24                                 vip "ftp": address
#   ftp-all-ports.conf:4   virtual_server 10.15.0.21 0                                                           service "tcp-10.15.0.21-0"
#   ftp-all-ports.conf:5   virtual_server 10.15.0.21 0 / protocol TCP                                            protocol
#   ftp-all-ports.conf:6   virtual_server 10.15.0.21 0 / persistence_timeout 3600                                persistence
#   ftp-all-ports.conf:7   virtual_server 10.15.0.21 0 / lvs_method DR                                           forward, tunnel
#   ftp-all-ports.conf:8   virtual_server 10.15.0.21 0 / lvs_sched wlc                                           scheduler
#   ftp-all-ports.conf:9   virtual_server 10.15.0.21 0 / real_server 10.15.0.31 0                                server "10.15.0.31:0"
#   ftp-all-ports.conf:9   virtual_server 10.15.0.21 0 / real_server 10.15.0.31 0 / TCP_CHECK                    check "tcp"
#   ftp-all-ports.conf:9   virtual_server 10.15.0.21 0 / real_server 10.15.0.31 0 / TCP_CHECK / connect_port 21  check: port
#   ftp-all-ports.conf:10  virtual_server 10.15.0.21 0 / real_server 10.15.0.32                                  server "10.15.0.32:0"
#   ftp-all-ports.conf:10  virtual_server 10.15.0.21 0 / real_server 10.15.0.32 / TCP_CHECK                      check "tcp"
#   ftp-all-ports.conf:10  virtual_server 10.15.0.21 0 / real_server 10.15.0.32 / TCP_CHECK / connect_port 21    check: port
#
