# Made from keepalived.conf by `quorate import keepalived`.
#
# mistake in the source:
#   mail-cluster.conf:9: connect_timeout 6 retry 2: "retry" is one value too many, and keepalived leaves it out; take it out
#
# changed meaning:
#   mail-cluster.conf:1: virtual_server 10.13.0.1 25: no vrrp_instance has the address: vip "10.13.0.1" was made for it; give it the prefix length of its subnet; if it has to move together with others, put it into their group

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# A virtual IP address, which one node at a time owns.
# mail-cluster.conf:1
vip "10.13.0.1" {
  address = "10.13.0.1/32"
}

# A virtual service: traffic to a port of a VIP, spread over real servers.
# mail-cluster.conf:1
service "tcp-10.13.0.1-25" {
  vip         = "10.13.0.1"
  port        = 25
  protocol    = "tcp"
  scheduler   = "wrr"
  persistence = "10m"
  forward     = "dr"

  check "smtp" {
    interval      = "10s"
    fast_interval = "6s"
    timeout       = "6s"
    rise          = 1
    fall          = 2
  }

  server "10.13.0.11:25" { weight = 50 }
  server "10.13.0.12:25" { weight = 50 }
}

# mail-cluster.conf:15
service "tcp-10.13.0.1-993" {
  vip       = "10.13.0.1"
  port      = 993
  protocol  = "tcp"
  scheduler = "wrr"
  forward   = "dr"

  check "tcp" {
    interval      = "10s"
    fast_interval = "6s"
    timeout       = "6s"
    rise          = 1
    fall          = 2
  }

  server "10.13.0.11:993" { weight = 1 }
  server "10.13.0.12:993" { weight = 1 }
}

# All findings:
# mistake in the source (1)
#   mail-cluster.conf:9  connect_timeout 6 retry 2  "retry" is one value too many, and keepalived leaves it out; take it out
#
# changed meaning (1)
#   mail-cluster.conf:1  virtual_server 10.13.0.1 25  no vrrp_instance has the address: vip "10.13.0.1" was made for it; give it the prefix length of its subnet; if it has to move together with others, put it into their group
#
# mapped (28)
#   mail-cluster.conf:1   virtual_server 10.13.0.1 25                                                                       service "tcp-10.13.0.1-25"
#   mail-cluster.conf:2   virtual_server 10.13.0.1 25 / delay_loop 10                                                       check: interval
#   mail-cluster.conf:3   virtual_server 10.13.0.1 25 / lvs_sched wrr                                                       scheduler
#   mail-cluster.conf:4   virtual_server 10.13.0.1 25 / lvs_method DR                                                       forward, tunnel
#   mail-cluster.conf:5   virtual_server 10.13.0.1 25 / protocol TCP                                                        protocol
#   mail-cluster.conf:6   virtual_server 10.13.0.1 25 / persistence_timeout 600                                             persistence
#   mail-cluster.conf:7   virtual_server 10.13.0.1 25 / quorum 1                                                            quorum
#   mail-cluster.conf:8   virtual_server 10.13.0.1 25 / real_server 10.13.0.11 25                                           server "10.13.0.11:25"
#   mail-cluster.conf:8   virtual_server 10.13.0.1 25 / real_server 10.13.0.11 25 / weight 50                               server: weight
#   mail-cluster.conf:9   virtual_server 10.13.0.1 25 / real_server 10.13.0.11 25 / SMTP_CHECK                              check "smtp"
#   mail-cluster.conf:9   virtual_server 10.13.0.1 25 / real_server 10.13.0.11 25 / SMTP_CHECK / connect_timeout 6 retry 2  check: timeout, for the whole probe
#   mail-cluster.conf:11  virtual_server 10.13.0.1 25 / real_server 10.13.0.12 25                                           server "10.13.0.12:25"
#   mail-cluster.conf:11  virtual_server 10.13.0.1 25 / real_server 10.13.0.12 25 / weight 50                               server: weight
#   mail-cluster.conf:12  virtual_server 10.13.0.1 25 / real_server 10.13.0.12 25 / SMTP_CHECK                              check "smtp"
#   mail-cluster.conf:12  virtual_server 10.13.0.1 25 / real_server 10.13.0.12 25 / SMTP_CHECK / connect_timeout 6          check: timeout, for the whole probe
#   mail-cluster.conf:15  virtual_server 10.13.0.1 993                                                                      service "tcp-10.13.0.1-993"
#   mail-cluster.conf:16  virtual_server 10.13.0.1 993 / delay_loop 10                                                      check: interval
#   mail-cluster.conf:17  virtual_server 10.13.0.1 993 / lvs_sched wrr                                                      scheduler
#   mail-cluster.conf:18  virtual_server 10.13.0.1 993 / lvs_method DR                                                      forward, tunnel
#   mail-cluster.conf:19  virtual_server 10.13.0.1 993 / protocol TCP                                                       protocol
#   mail-cluster.conf:20  virtual_server 10.13.0.1 993 / real_server 10.13.0.11 993                                         server "10.13.0.11:993"
#   mail-cluster.conf:20  virtual_server 10.13.0.1 993 / real_server 10.13.0.11 993 / TCP_CHECK                             check "tcp"
#   mail-cluster.conf:20  virtual_server 10.13.0.1 993 / real_server 10.13.0.11 993 / TCP_CHECK / connect_timeout 6         check: timeout, for the whole probe
#   mail-cluster.conf:21  virtual_server 10.13.0.1 993 / real_server 10.13.0.12 993                                         server "10.13.0.12:993"
#   mail-cluster.conf:21  virtual_server 10.13.0.1 993 / real_server 10.13.0.12 993 / TCP_CHECK                             check "tcp"
#   mail-cluster.conf:21  virtual_server 10.13.0.1 993 / real_server 10.13.0.12 993 / TCP_CHECK / connect_timeout 6         check: timeout, for the whole probe
#   mail-cluster.conf:22  virtual_server 10.13.0.1 993 / real_server 10.13.0.12 993 / TCP_CHECK / connect_port 993          check: port
#   mail-cluster.conf:23  virtual_server 10.13.0.1 993 / real_server 10.13.0.12 993 / TCP_CHECK / connect_ip 10.13.0.12     check: address
#
