# Made from keepalived.conf by `quorate import keepalived`.
#
# changed meaning:
#   lang-definitions.conf:17: virtual_server 10.4.0.100 80: no vrrp_instance has the address: vip "10.4.0.100" was made for it; give it the prefix length of its subnet; if it has to move together with others, put it into their group

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# A virtual IP address, which one node at a time owns.
# lang-definitions.conf:17
vip "10.4.0.100" {
  address = "10.4.0.100/32"
}

# A virtual service: traffic to a port of a VIP, spread over real servers.
# lang-definitions.conf:17
service "tcp-10.4.0.100-80" {
  vip       = "10.4.0.100"
  port      = 80
  protocol  = "tcp"
  scheduler = "wlc"
  forward   = "nat"

  check "tcp" {
    interval      = "5s"
    fast_interval = "3s"
    timeout       = "3s"
    rise          = 1
    fall          = 2
  }

  server "10.4.0.11:80" { weight = 2 }
  server "10.4.0.12:80" { weight = 3 }
  server "10.4.9.21:80" { weight = 4 }
  server "10.4.9.22:80" { weight = 5 }
}

# All findings:
# changed meaning (1)
#   lang-definitions.conf:17  virtual_server 10.4.0.100 80  no vrrp_instance has the address: vip "10.4.0.100" was made for it; give it the prefix length of its subnet; if it has to move together with others, put it into their group
#
# mapped (19)
#   lang-definitions.conf:12  virtual_server 10.4.0.100 80 / real_server 10.4.0.11 80 / weight 2                       server: weight
#   lang-definitions.conf:12  virtual_server 10.4.0.100 80 / real_server 10.4.0.12 80 / weight 3                       server: weight
#   lang-definitions.conf:12  virtual_server 10.4.0.100 80 / real_server 10.4.9.21 80 / weight 4                       server: weight
#   lang-definitions.conf:12  virtual_server 10.4.0.100 80 / real_server 10.4.9.22 80 / weight 5                       server: weight
#   lang-definitions.conf:13  virtual_server 10.4.0.100 80 / real_server 10.4.0.11 80 / TCP_CHECK                      check "tcp"
#   lang-definitions.conf:13  virtual_server 10.4.0.100 80 / real_server 10.4.0.12 80 / TCP_CHECK                      check "tcp"
#   lang-definitions.conf:13  virtual_server 10.4.0.100 80 / real_server 10.4.9.21 80 / TCP_CHECK                      check "tcp"
#   lang-definitions.conf:13  virtual_server 10.4.0.100 80 / real_server 10.4.9.22 80 / TCP_CHECK                      check "tcp"
#   lang-definitions.conf:14  virtual_server 10.4.0.100 80 / real_server 10.4.0.11 80 / TCP_CHECK / connect_timeout 3  check: timeout, for the whole probe
#   lang-definitions.conf:14  virtual_server 10.4.0.100 80 / real_server 10.4.0.12 80 / TCP_CHECK / connect_timeout 3  check: timeout, for the whole probe
#   lang-definitions.conf:14  virtual_server 10.4.0.100 80 / real_server 10.4.9.21 80 / TCP_CHECK / connect_timeout 3  check: timeout, for the whole probe
#   lang-definitions.conf:14  virtual_server 10.4.0.100 80 / real_server 10.4.9.22 80 / TCP_CHECK / connect_timeout 3  check: timeout, for the whole probe
#   lang-definitions.conf:17  virtual_server 10.4.0.100 80                                                             service "tcp-10.4.0.100-80"
#   lang-definitions.conf:18  virtual_server 10.4.0.100 80 / protocol TCP                                              protocol
#   lang-definitions.conf:19  virtual_server 10.4.0.100 80 / delay_loop 5                                              check: interval
#   lang-definitions.conf:22  virtual_server 10.4.0.100 80 / real_server 10.4.0.11 80                                  server "10.4.0.11:80"
#   lang-definitions.conf:25  virtual_server 10.4.0.100 80 / real_server 10.4.0.12 80                                  server "10.4.0.12:80"
#   lang-definitions.conf:27  virtual_server 10.4.0.100 80 / real_server 10.4.9.21 80                                  server "10.4.9.21:80"
#   lang-definitions.conf:27  virtual_server 10.4.0.100 80 / real_server 10.4.9.22 80                                  server "10.4.9.22:80"
#
