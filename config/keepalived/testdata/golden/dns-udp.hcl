# Made from keepalived.conf by `quorate import keepalived`.
#
# changed meaning:
#   dns-udp.conf:1: virtual_server 192.0.2.53 53: no vrrp_instance has the address: vip "192.0.2.53" was made for it; give it the prefix length of its subnet; if it has to move together with others, put it into their group
#   dns-udp.conf:37: virtual_server 192.0.2.53 1812 / real_server 10.0.0.53 1812 / UDP_CHECK: it has no payload, and an empty datagram is sent in place of bytes by chance

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# A virtual IP address, which one node at a time owns.
# dns-udp.conf:1
vip "192.0.2.53" {
  address = "192.0.2.53/32"
}

# A virtual service: traffic to a port of a VIP, spread over real servers.
# dns-udp.conf:34
service "udp-192.0.2.53-1812" {
  vip       = "192.0.2.53"
  port      = 1812
  protocol  = "udp"
  scheduler = "wlc"
  forward   = "nat"

  check "udp" {
    interval      = "1m"
    fast_interval = "5s"
    timeout       = "5s"
    rise          = 1
    fall          = 2
  }

  server "10.0.0.53:1812" { weight = 1 }
}

# dns-udp.conf:22
service "udp-192.0.2.53-514" {
  vip       = "192.0.2.53"
  port      = 514
  protocol  = "udp"
  scheduler = "wlc"
  forward   = "nat"

  check "udp" {
    interval      = "5s"
    timeout       = "5s"
    rise          = 1
    fall          = 2
    payload       = "0a0b0c"
    reply         = "00XXFF"
    require_reply = true
    min_reply     = 3
    max_reply     = 255
  }

  server "10.0.0.53:514" { weight = 1 }
}

# dns-udp.conf:1
service "udp-192.0.2.53-53" {
  vip        = "192.0.2.53"
  port       = 53
  protocol   = "udp"
  scheduler  = "rr"
  one_packet = true
  forward    = "nat"

  check "dns" {
    interval = "5s"
    timeout  = "5s"
    rise     = 1
    fall     = 3
    name     = "example.org"
    record   = "AAAA"
  }

  server "10.0.0.53:53" { weight = 1 }
  server "10.0.0.54:53" { weight = 1 }
}

# All findings:
# changed meaning (2)
#   dns-udp.conf:1   virtual_server 192.0.2.53 53                                             no vrrp_instance has the address: vip "192.0.2.53" was made for it; give it the prefix length of its subnet; if it has to move together with others, put it into their group
#   dns-udp.conf:37  virtual_server 192.0.2.53 1812 / real_server 10.0.0.53 1812 / UDP_CHECK  it has no payload, and an empty datagram is sent in place of bytes by chance
#
# mapped (28)
#   dns-udp.conf:1   virtual_server 192.0.2.53 53                                                                  service "udp-192.0.2.53-53"
#   dns-udp.conf:2   virtual_server 192.0.2.53 53 / protocol UDP                                                   protocol
#   dns-udp.conf:3   virtual_server 192.0.2.53 53 / ops                                                            one_packet
#   dns-udp.conf:4   virtual_server 192.0.2.53 53 / lvs_sched rr                                                   scheduler
#   dns-udp.conf:5   virtual_server 192.0.2.53 53 / lvs_method NAT                                                 forward, tunnel
#   dns-udp.conf:6   virtual_server 192.0.2.53 53 / delay_loop 5                                                   check: interval
#   dns-udp.conf:7   virtual_server 192.0.2.53 53 / real_server 10.0.0.53 53                                       server "10.0.0.53:53"
#   dns-udp.conf:8   virtual_server 192.0.2.53 53 / real_server 10.0.0.53 53 / DNS_CHECK                           check "dns"
#   dns-udp.conf:9   virtual_server 192.0.2.53 53 / real_server 10.0.0.53 53 / DNS_CHECK / name example.org        check: name
#   dns-udp.conf:10  virtual_server 192.0.2.53 53 / real_server 10.0.0.53 53 / DNS_CHECK / type AAAA               check: record
#   dns-udp.conf:11  virtual_server 192.0.2.53 53 / real_server 10.0.0.53 53 / DNS_CHECK / retry 2                 check: fall, one more than that
#   dns-udp.conf:14  virtual_server 192.0.2.53 53 / real_server 10.0.0.54 53                                       server "10.0.0.54:53"
#   dns-udp.conf:15  virtual_server 192.0.2.53 53 / real_server 10.0.0.54 53 / DNS_CHECK                           check "dns"
#   dns-udp.conf:16  virtual_server 192.0.2.53 53 / real_server 10.0.0.54 53 / DNS_CHECK / name example.org        check: name
#   dns-udp.conf:17  virtual_server 192.0.2.53 53 / real_server 10.0.0.54 53 / DNS_CHECK / type AAAA               check: record
#   dns-udp.conf:18  virtual_server 192.0.2.53 53 / real_server 10.0.0.54 53 / DNS_CHECK / retry 2                 check: fall, one more than that
#   dns-udp.conf:22  virtual_server 192.0.2.53 514                                                                 service "udp-192.0.2.53-514"
#   dns-udp.conf:23  virtual_server 192.0.2.53 514 / protocol UDP                                                  protocol
#   dns-udp.conf:24  virtual_server 192.0.2.53 514 / delay_loop 5                                                  check: interval
#   dns-udp.conf:25  virtual_server 192.0.2.53 514 / real_server 10.0.0.53 514                                     server "10.0.0.53:514"
#   dns-udp.conf:26  virtual_server 192.0.2.53 514 / real_server 10.0.0.53 514 / UDP_CHECK                         check "udp"
#   dns-udp.conf:27  virtual_server 192.0.2.53 514 / real_server 10.0.0.53 514 / UDP_CHECK / payload 0a0b0c        check: payload
#   dns-udp.conf:28  virtual_server 192.0.2.53 514 / real_server 10.0.0.53 514 / UDP_CHECK / require_reply 00XXff  check: require_reply, reply
#   dns-udp.conf:29  virtual_server 192.0.2.53 514 / real_server 10.0.0.53 514 / UDP_CHECK / min_reply_length 3    check: min_reply
#   dns-udp.conf:30  virtual_server 192.0.2.53 514 / real_server 10.0.0.53 514 / UDP_CHECK / max_reply_length 255  check: max_reply
#   dns-udp.conf:34  virtual_server 192.0.2.53 1812                                                                service "udp-192.0.2.53-1812"
#   dns-udp.conf:35  virtual_server 192.0.2.53 1812 / protocol UDP                                                 protocol
#   dns-udp.conf:36  virtual_server 192.0.2.53 1812 / real_server 10.0.0.53 1812                                   server "10.0.0.53:1812"
#
