# Made from keepalived.conf by `quorate import keepalived`.
#
# changed meaning:
#   tunnels.conf:1: virtual_server 192.0.2.60 80: no vrrp_instance has the address: vip "192.0.2.60" was made for it; give it the prefix length of its subnet; if it has to move together with others, put it into their group
#   tunnels.conf:7: virtual_server 192.0.2.60 80 / real_server 10.0.0.4 8080: without NAT the port cannot be another: keepalived takes 80, that of the virtual server, and so it was done here; checks ask 8080

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# A virtual IP address, which one node at a time owns.
# tunnels.conf:1
vip "192.0.2.60" {
  address = "192.0.2.60/32"
}

# A virtual service: traffic to a port of a VIP, spread over real servers.
# tunnels.conf:1
service "tcp-192.0.2.60-80" {
  vip             = "192.0.2.60"
  port            = 80
  protocol        = "tcp"
  scheduler       = "wlc"
  forward         = "tun"
  tunnel          = "gue"
  tunnel_port     = 6080
  tunnel_checksum = "remcsum"

  server "10.0.0.1:80" { weight = 1 }
  server "10.0.0.2:80" {
    weight          = 1
    forward         = "tun"
    tunnel          = "gre"
    tunnel_checksum = "csum"
  }
  server "10.0.0.3:8080" {
    weight  = 1
    forward = "nat"
  }
  server "10.0.0.4:80" { weight = 1 }

  sorry_server "10.0.0.5:80" { forward = "nat" }
}

# All findings:
# changed meaning (2)
#   tunnels.conf:1  virtual_server 192.0.2.60 80                              no vrrp_instance has the address: vip "192.0.2.60" was made for it; give it the prefix length of its subnet; if it has to move together with others, put it into their group
#   tunnels.conf:7  virtual_server 192.0.2.60 80 / real_server 10.0.0.4 8080  without NAT the port cannot be another: keepalived takes 80, that of the virtual server, and so it was done here; checks ask 8080
#
# mapped (10)
#   tunnels.conf:1  virtual_server 192.0.2.60 80                                                           service "tcp-192.0.2.60-80"
#   tunnels.conf:2  virtual_server 192.0.2.60 80 / protocol TCP                                            protocol
#   tunnels.conf:3  virtual_server 192.0.2.60 80 / lvs_method TUN type gue port 6080 remcsum               forward, tunnel
#   tunnels.conf:4  virtual_server 192.0.2.60 80 / real_server 10.0.0.1 80                                 server "10.0.0.1:80"
#   tunnels.conf:5  virtual_server 192.0.2.60 80 / real_server 10.0.0.2 80                                 server "10.0.0.2:80"
#   tunnels.conf:5  virtual_server 192.0.2.60 80 / real_server 10.0.0.2 80 / lvs_method TUN type gre csum  server: forward, tunnel
#   tunnels.conf:6  virtual_server 192.0.2.60 80 / real_server 10.0.0.3 8080                               server "10.0.0.3:8080"
#   tunnels.conf:6  virtual_server 192.0.2.60 80 / real_server 10.0.0.3 8080 / lvs_method NAT              server: forward, tunnel
#   tunnels.conf:8  virtual_server 192.0.2.60 80 / sorry_server 10.0.0.5 80                                sorry_server "10.0.0.5:80"
#   tunnels.conf:9  virtual_server 192.0.2.60 80 / sorry_server_lvs_method NAT                             sorry_server: forward, tunnel
#
