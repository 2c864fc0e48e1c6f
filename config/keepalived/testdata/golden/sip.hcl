# Made from keepalived.conf by `quorate import keepalived`.
#
# changed meaning:
#   sip.conf:1: virtual_server 10.16.0.60 5060: no vrrp_instance has the address: vip "10.16.0.60" was made for it; give it the prefix length of its subnet; if it has to move together with others, put it into their group

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# A virtual IP address, which one node at a time owns.
# sip.conf:1
vip "10.16.0.60" {
  address = "10.16.0.60/32"
}

# A virtual service: traffic to a port of a VIP, spread over real servers.
# sip.conf:1
service "udp-10.16.0.60-5060" {
  vip                = "10.16.0.60"
  port               = 5060
  protocol           = "udp"
  scheduler          = "wlc"
  one_packet         = true
  persistence        = "30m"
  persistence_engine = "sip"
  forward            = "nat"

  check "ping" {
    interval = "5s"
    timeout  = "5s"
    rise     = 1
    fall     = 2
  }

  server "10.16.1.1:5060" { weight = 1 }
}

# All findings:
# changed meaning (1)
#   sip.conf:1  virtual_server 10.16.0.60 5060  no vrrp_instance has the address: vip "10.16.0.60" was made for it; give it the prefix length of its subnet; if it has to move together with others, put it into their group
#
# mapped (8)
#   sip.conf:1  virtual_server 10.16.0.60 5060                                            service "udp-10.16.0.60-5060"
#   sip.conf:2  virtual_server 10.16.0.60 5060 / protocol UDP                             protocol
#   sip.conf:3  virtual_server 10.16.0.60 5060 / persistence_engine sip                   persistence_engine
#   sip.conf:4  virtual_server 10.16.0.60 5060 / persistence_timeout 1800                 persistence
#   sip.conf:5  virtual_server 10.16.0.60 5060 / ops                                      one_packet
#   sip.conf:6  virtual_server 10.16.0.60 5060 / delay_loop 5                             check: interval
#   sip.conf:7  virtual_server 10.16.0.60 5060 / real_server 10.16.1.1 5060               server "10.16.1.1:5060"
#   sip.conf:7  virtual_server 10.16.0.60 5060 / real_server 10.16.1.1 5060 / PING_CHECK  check "ping"
#
