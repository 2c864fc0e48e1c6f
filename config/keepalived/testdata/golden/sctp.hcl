# Made from keepalived.conf by `quorate import keepalived`.
#
# unsupported:
#   sctp.conf:6: virtual_server 10.17.0.1 3868 / real_server 10.17.1.1 3868 / PING_CHECK / bind_port 1234: the kernel chooses the port that a probe comes from; nothing, unless a firewall looks at it
#
# changed meaning:
#   sctp.conf:1: virtual_server 10.17.0.1 3868: no vrrp_instance has the address: vip "10.17.0.1" was made for it; give it the prefix length of its subnet; if it has to move together with others, put it into their group

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# A virtual IP address, which one node at a time owns.
# sctp.conf:1
vip "10.17.0.1" {
  address = "10.17.0.1/32"
}

# A virtual service: traffic to a port of a VIP, spread over real servers.
# sctp.conf:1
service "sctp-10.17.0.1-3868" {
  vip       = "10.17.0.1"
  port      = 3868
  protocol  = "sctp"
  scheduler = "rr"
  forward   = "nat"

  check "ping" {
    interval      = "1m"
    fast_interval = "2s"
    timeout       = "2s"
    rise          = 1
    fall          = 2
    interface     = "eth1"
    fwmark        = 12
  }

  server "10.17.1.1:3868" { weight = 1 }
}

# All findings:
# unsupported (1)
#   sctp.conf:6  virtual_server 10.17.0.1 3868 / real_server 10.17.1.1 3868 / PING_CHECK / bind_port 1234  the kernel chooses the port that a probe comes from; nothing, unless a firewall looks at it
#
# changed meaning (1)
#   sctp.conf:1  virtual_server 10.17.0.1 3868  no vrrp_instance has the address: vip "10.17.0.1" was made for it; give it the prefix length of its subnet; if it has to move together with others, put it into their group
#
# mapped (8)
#   sctp.conf:1  virtual_server 10.17.0.1 3868                                                                service "sctp-10.17.0.1-3868"
#   sctp.conf:2  virtual_server 10.17.0.1 3868 / protocol SCTP                                                protocol
#   sctp.conf:3  virtual_server 10.17.0.1 3868 / lvs_sched rr                                                 scheduler
#   sctp.conf:4  virtual_server 10.17.0.1 3868 / real_server 10.17.1.1 3868                                   server "10.17.1.1:3868"
#   sctp.conf:4  virtual_server 10.17.0.1 3868 / real_server 10.17.1.1 3868 / PING_CHECK                      check "ping"
#   sctp.conf:4  virtual_server 10.17.0.1 3868 / real_server 10.17.1.1 3868 / PING_CHECK / connect_timeout 2  check: timeout, for the whole probe
#   sctp.conf:5  virtual_server 10.17.0.1 3868 / real_server 10.17.1.1 3868 / PING_CHECK / bind_if eth1       check: interface
#   sctp.conf:7  virtual_server 10.17.0.1 3868 / real_server 10.17.1.1 3868 / PING_CHECK / fwmark 12          check: fwmark
#
