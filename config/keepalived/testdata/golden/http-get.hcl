# Made from keepalived.conf by `quorate import keepalived`.
#
# changed meaning:
#   http-get.conf:1: virtual_server 192.0.2.20 80: no vrrp_instance has the address: vip "192.0.2.20" was made for it; give it the prefix length of its subnet; if it has to move together with others, put it into their group

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# A virtual IP address, which one node at a time owns.
# http-get.conf:1
vip "192.0.2.20" {
  address = "192.0.2.20/32"
}

# A virtual service: traffic to a port of a VIP, spread over real servers.
# http-get.conf:1
service "tcp-192.0.2.20-80" {
  vip                = "192.0.2.20"
  port               = 80
  protocol           = "tcp"
  scheduler          = "wlc"
  forward            = "nat"
  inhibit_on_failure = true

  check "http" {
    interval      = "15s"
    fast_interval = "2s"
    timeout       = "2s"
    rise          = 1
    fall          = 3
    host          = "www.example.org"

    url "/health" { status = ["200"] }
    url "/login" {
      host   = "login.example.org"
      status = ["200-299"]
      md5    = "9b3a0c85a887a256d6939da88aabd8cd"
    }
  }

  server "10.0.0.1:8080" { weight = 10 }
  server "10.0.0.2:8080" { weight = 5 }

  sorry_server "10.0.0.99:8080" {
  }
}

# All findings:
# changed meaning (1)
#   http-get.conf:1  virtual_server 192.0.2.20 80  no vrrp_instance has the address: vip "192.0.2.20" was made for it; give it the prefix length of its subnet; if it has to move together with others, put it into their group
#
# ignored: not needed (1)
#   http-get.conf:40  nb_get_retry 2  nb_get_retry is an old spelling of retry, and taken for it
#
# mapped (35)
#   http-get.conf:1                     virtual_server 192.0.2.20 80                                                                           service "tcp-192.0.2.20-80"
#   http-get.conf:2                     virtual_server 192.0.2.20 80 / delay_loop 15                                                           check: interval
#   http-get.conf:3                     virtual_server 192.0.2.20 80 / lvs_sched wlc                                                           scheduler
#   http-get.conf:4                     virtual_server 192.0.2.20 80 / lvs_method NAT                                                          forward, tunnel
#   http-get.conf:5                     virtual_server 192.0.2.20 80 / protocol TCP                                                            protocol
#   http-get.conf:6                     virtual_server 192.0.2.20 80 / virtualhost www.example.org                                             check: host
#   http-get.conf:7                     virtual_server 192.0.2.20 80 / sorry_server 10.0.0.99 8080                                             sorry_server "10.0.0.99:8080"
#   http-get.conf:8                     virtual_server 192.0.2.20 80 / real_server 10.0.0.1 8080                                               server "10.0.0.1:8080"
#   http-get.conf:9                     virtual_server 192.0.2.20 80 / real_server 10.0.0.1 8080 / weight 10                                   server: weight
#   http-get.conf:10                    virtual_server 192.0.2.20 80 / real_server 10.0.0.1 8080 / inhibit_on_failure                          inhibit_on_failure
#   http-get.conf:11                    virtual_server 192.0.2.20 80 / real_server 10.0.0.1 8080 / HTTP_GET                                    check "http"
#   http-get.conf:12, http-get.conf:16  virtual_server 192.0.2.20 80 / real_server 10.0.0.1 8080 / HTTP_GET / url                              check: path, status …
#   http-get.conf:13                    virtual_server 192.0.2.20 80 / real_server 10.0.0.1 8080 / HTTP_GET / url / path /health               path
#   http-get.conf:14                    virtual_server 192.0.2.20 80 / real_server 10.0.0.1 8080 / HTTP_GET / url / status_code 200            status
#   http-get.conf:17                    virtual_server 192.0.2.20 80 / real_server 10.0.0.1 8080 / HTTP_GET / url / path /login                path
#   http-get.conf:18                    virtual_server 192.0.2.20 80 / real_server 10.0.0.1 8080 / HTTP_GET / url / digest 9b3a0c85a887a256d…  md5
#   http-get.conf:19                    virtual_server 192.0.2.20 80 / real_server 10.0.0.1 8080 / HTTP_GET / url / virtualhost login.exampl…  host
#   http-get.conf:21                    virtual_server 192.0.2.20 80 / real_server 10.0.0.1 8080 / HTTP_GET / connect_timeout 2                check: timeout, for the whole probe
#   http-get.conf:22                    virtual_server 192.0.2.20 80 / real_server 10.0.0.1 8080 / HTTP_GET / retry 2                          check: fall, one more than that
#   http-get.conf:23                    virtual_server 192.0.2.20 80 / real_server 10.0.0.1 8080 / HTTP_GET / delay_before_retry 2             check: fast_interval, from probe to probe
#   http-get.conf:26                    virtual_server 192.0.2.20 80 / real_server 10.0.0.2 8080                                               server "10.0.0.2:8080"
#   http-get.conf:27                    virtual_server 192.0.2.20 80 / real_server 10.0.0.2 8080 / weight 5                                    server: weight
#   http-get.conf:28                    virtual_server 192.0.2.20 80 / real_server 10.0.0.2 8080 / inhibit_on_failure                          inhibit_on_failure
#   http-get.conf:29                    virtual_server 192.0.2.20 80 / real_server 10.0.0.2 8080 / HTTP_GET                                    check "http"
#   http-get.conf:30, http-get.conf:34  virtual_server 192.0.2.20 80 / real_server 10.0.0.2 8080 / HTTP_GET / url                              check: path, status …
#   http-get.conf:31                    virtual_server 192.0.2.20 80 / real_server 10.0.0.2 8080 / HTTP_GET / url / path /health               path
#   http-get.conf:32                    virtual_server 192.0.2.20 80 / real_server 10.0.0.2 8080 / HTTP_GET / url / status_code 200            status
#   http-get.conf:35                    virtual_server 192.0.2.20 80 / real_server 10.0.0.2 8080 / HTTP_GET / url / path /login                path
#   http-get.conf:36                    virtual_server 192.0.2.20 80 / real_server 10.0.0.2 8080 / HTTP_GET / url / digest 9b3a0c85a887a256d…  md5
#   http-get.conf:37                    virtual_server 192.0.2.20 80 / real_server 10.0.0.2 8080 / HTTP_GET / url / virtualhost login.exampl…  host
#   http-get.conf:39                    virtual_server 192.0.2.20 80 / real_server 10.0.0.2 8080 / HTTP_GET / connect_timeout 2                check: timeout, for the whole probe
#   http-get.conf:40                    virtual_server 192.0.2.20 80 / real_server 10.0.0.2 8080 / HTTP_GET / nb_get_retry 2                   check: fall, one more than that
#   http-get.conf:41                    virtual_server 192.0.2.20 80 / real_server 10.0.0.2 8080 / HTTP_GET / delay_before_retry 2             check: fast_interval, from probe to probe
#
