# Made from keepalived.conf by `quorate import keepalived`.
#
# changed meaning:
#   smtp-check.conf:1: virtual_server 192.0.2.25 25: no vrrp_instance has the address: vip "192.0.2.25" was made for it; give it the prefix length of its subnet; if it has to move together with others, put it into their group
#   smtp-check.conf:18: virtual_server 192.0.2.25 25 / real_server 10.0.0.25 25 / SMTP_CHECK / host / bindto 10.0.0.250: source = "10.0.0.250" is for all directors, and one that does not have the address does not probe; take it out, if each director has its own; the kernel chooses then

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# A virtual IP address, which one node at a time owns.
# smtp-check.conf:1
vip "192.0.2.25" {
  address = "192.0.2.25/32"
}

# A virtual service: traffic to a port of a VIP, spread over real servers.
# smtp-check.conf:1
service "tcp-192.0.2.25-25" {
  vip       = "192.0.2.25"
  port      = 25
  protocol  = "tcp"
  scheduler = "rr"
  forward   = "nat"

  check "smtp" {
    interval      = "30s"
    fast_interval = "10s"
    timeout       = "10s"
    rise          = 1
    fall          = 4
    helo          = "probe.example.org"
  }
  check "smtp" {
    port          = 587
    interval      = "30s"
    fast_interval = "10s"
    timeout       = "10s"
    rise          = 1
    fall          = 4
    source        = "10.0.0.250"
    helo          = "probe.example.org"
  }

  server "10.0.0.25:25" { weight = 1 }
}

# All findings:
# changed meaning (2)
#   smtp-check.conf:1   virtual_server 192.0.2.25 25                                                                     no vrrp_instance has the address: vip "192.0.2.25" was made for it; give it the prefix length of its subnet; if it has to move together with others, put it into their group
#   smtp-check.conf:18  virtual_server 192.0.2.25 25 / real_server 10.0.0.25 25 / SMTP_CHECK / host / bindto 10.0.0.250  source = "10.0.0.250" is for all directors, and one that does not have the address does not probe; take it out, if each director has its own; the kernel chooses then
#
# mapped (16)
#   smtp-check.conf:1                       virtual_server 192.0.2.25 25                                                                        service "tcp-192.0.2.25-25"
#   smtp-check.conf:2                       virtual_server 192.0.2.25 25 / protocol TCP                                                         protocol
#   smtp-check.conf:3                       virtual_server 192.0.2.25 25 / delay_loop 30                                                        check: interval
#   smtp-check.conf:4                       virtual_server 192.0.2.25 25 / lb_algo rr                                                           scheduler
#   smtp-check.conf:5                       virtual_server 192.0.2.25 25 / lb_kind NAT                                                          forward, tunnel
#   smtp-check.conf:6                       virtual_server 192.0.2.25 25 / real_server 10.0.0.25 25                                             server "10.0.0.25:25"
#   smtp-check.conf:7                       virtual_server 192.0.2.25 25 / real_server 10.0.0.25 25 / SMTP_CHECK                                check "smtp"
#   smtp-check.conf:8                       virtual_server 192.0.2.25 25 / real_server 10.0.0.25 25 / SMTP_CHECK / helo_name probe.example.org  check: helo
#   smtp-check.conf:9                       virtual_server 192.0.2.25 25 / real_server 10.0.0.25 25 / SMTP_CHECK / connect_timeout 10           check: timeout, for the whole probe
#   smtp-check.conf:10                      virtual_server 192.0.2.25 25 / real_server 10.0.0.25 25 / SMTP_CHECK / retry 3                      check: fall, one more than that
#   smtp-check.conf:11, smtp-check.conf:15  virtual_server 192.0.2.25 25 / real_server 10.0.0.25 25 / SMTP_CHECK / host                         check "smtp"
#   smtp-check.conf:12, smtp-check.conf:16  virtual_server 192.0.2.25 25 / real_server 10.0.0.25 25 / SMTP_CHECK / host / connect_ip 10.0.0.25  check: address
#   smtp-check.conf:13                      virtual_server 192.0.2.25 25 / real_server 10.0.0.25 25 / SMTP_CHECK / host / connect_port 25       check: port
#   smtp-check.conf:17                      virtual_server 192.0.2.25 25 / real_server 10.0.0.25 25 / SMTP_CHECK / host / connect_port 587      check: port
#
