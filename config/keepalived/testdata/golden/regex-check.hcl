# Made from keepalived.conf by `quorate import keepalived`.
#
# unsupported:
#   regex-check.conf:14: virtual_server 192.0.2.22 80 / real_server 10.0.0.2 80 / HTTP_GET: its expression cannot be taken over, see regex-check.conf:18; a server without a check counts as up; correct it, then import again
#   regex-check.conf:18: virtual_server 192.0.2.22 80 / real_server 10.0.0.2 80 / HTTP_GET / url / regex "(?<=ready: )yes": RE2 does not understand the expression: error parsing regexp: invalid named capture: `(?<=ready: )yes`; write it without what only PCRE has, then import again
#
# changed meaning:
#   regex-check.conf:1: virtual_server 192.0.2.22 80: no vrrp_instance has the address: vip "192.0.2.22" was made for it; give it the prefix length of its subnet; if it has to move together with others, put it into their group
#   regex-check.conf:5: virtual_server 192.0.2.22 80 / real_server 10.0.0.1 80 / HTTP_GET / http_protocol 1.0C: it is asked by HTTP 1.1; look whether the server answers that
#   regex-check.conf:13: virtual_server 192.0.2.22 80 / real_server 10.0.0.2 80: its checks are not those of real_server 10.0.0.1 (regex-check.conf:3), and a service has one set for all of its servers: that one was taken; make them alike, or make two services

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# A virtual IP address, which one node at a time owns.
# regex-check.conf:1
vip "192.0.2.22" {
  address = "192.0.2.22/32"
}

# A virtual service: traffic to a port of a VIP, spread over real servers.
# regex-check.conf:1
service "tcp-192.0.2.22-80" {
  vip       = "192.0.2.22"
  port      = 80
  protocol  = "tcp"
  scheduler = "wlc"
  forward   = "nat"

  check "http" {
    interval      = "1m"
    fast_interval = "5s"
    timeout       = "5s"
    rise          = 1
    fall          = 2
    path          = "/status"
    status        = ["200-299"]
    regex         = "(?im)^ready: (yes|almost)"
  }

  server "10.0.0.1:80" { weight = 1 }
  server "10.0.0.2:80" { weight = 1 }
}

# All findings:
# unsupported (5)
#   regex-check.conf:14  virtual_server 192.0.2.22 80 / real_server 10.0.0.2 80 / HTTP_GET                                  its expression cannot be taken over, see regex-check.conf:18; a server without a check counts as up; correct it, then import again
#   regex-check.conf:15  virtual_server 192.0.2.22 80 / real_server 10.0.0.2 80 / HTTP_GET / http_protocol 1.0C             it is part of HTTP_GET
#   regex-check.conf:16  virtual_server 192.0.2.22 80 / real_server 10.0.0.2 80 / HTTP_GET / url                            it is part of HTTP_GET
#   regex-check.conf:17  virtual_server 192.0.2.22 80 / real_server 10.0.0.2 80 / HTTP_GET / url / path /status             it is part of HTTP_GET
#   regex-check.conf:18  virtual_server 192.0.2.22 80 / real_server 10.0.0.2 80 / HTTP_GET / url / regex "(?<=ready: )yes"  RE2 does not understand the expression: error parsing regexp: invalid named capture: `(?<=ready: )yes`; write it without what only PCRE has, then import again
#
# changed meaning (3)
#   regex-check.conf:1   virtual_server 192.0.2.22 80                                                            no vrrp_instance has the address: vip "192.0.2.22" was made for it; give it the prefix length of its subnet; if it has to move together with others, put it into their group
#   regex-check.conf:5   virtual_server 192.0.2.22 80 / real_server 10.0.0.1 80 / HTTP_GET / http_protocol 1.0C  it is asked by HTTP 1.1; look whether the server answers that
#   regex-check.conf:13  virtual_server 192.0.2.22 80 / real_server 10.0.0.2 80                                  its checks are not those of real_server 10.0.0.1 (regex-check.conf:3), and a service has one set for all of its servers: that one was taken; make them alike, or make two services
#
# ignored: not needed (1)
#   regex-check.conf:19  virtual_server 192.0.2.22 80 / real_server 10.0.0.2 80 / HTTP_GET / url / regex_stack 100 1000  RE2 needs no stack that grows
#
# mapped (8)
#   regex-check.conf:1  virtual_server 192.0.2.22 80                                                                           service "tcp-192.0.2.22-80"
#   regex-check.conf:2  virtual_server 192.0.2.22 80 / protocol TCP                                                            protocol
#   regex-check.conf:3  virtual_server 192.0.2.22 80 / real_server 10.0.0.1 80                                                 server "10.0.0.1:80"
#   regex-check.conf:4  virtual_server 192.0.2.22 80 / real_server 10.0.0.1 80 / HTTP_GET                                      check "http"
#   regex-check.conf:6  virtual_server 192.0.2.22 80 / real_server 10.0.0.1 80 / HTTP_GET / url                                check: path, status …
#   regex-check.conf:7  virtual_server 192.0.2.22 80 / real_server 10.0.0.1 80 / HTTP_GET / url / path /status                 path
#   regex-check.conf:8  virtual_server 192.0.2.22 80 / real_server 10.0.0.1 80 / HTTP_GET / url / regex "^ready: (yes|almost…  regex
#   regex-check.conf:9  virtual_server 192.0.2.22 80 / real_server 10.0.0.1 80 / HTTP_GET / url / regex_options caseless mul…  regex: its flags
#
