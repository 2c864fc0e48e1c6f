# Made from keepalived.conf by `quorate import keepalived`.
#
# changed meaning:
#   ssl-get.conf:2: SSL / ca /etc/ssl/our-ca.pem: keepalived reads it and looks at no certificate; it was left out, as verify = false; set ca = "/etc/ssl/our-ca.pem" and leave verify out, if the servers' certificates are to be checked
#   ssl-get.conf:6: virtual_server 192.0.2.21 443: no vrrp_instance has the address: vip "192.0.2.21" was made for it; give it the prefix length of its subnet; if it has to move together with others, put it into their group
#   ssl-get.conf:12: virtual_server 192.0.2.21 443 / real_server 10.0.0.1 443 / SSL_GET: check "https" with verify = false: keepalived looks at no certificate, and so it was done here; leave verify out, and name the authority with ca

# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# A virtual IP address, which one node at a time owns.
# ssl-get.conf:6
vip "192.0.2.21" {
  address = "192.0.2.21/32"
}

# A virtual service: traffic to a port of a VIP, spread over real servers.
# ssl-get.conf:6
service "tcp-192.0.2.21-443" {
  vip       = "192.0.2.21"
  port      = 443
  protocol  = "tcp"
  scheduler = "rr"
  forward   = "nat"

  check "https" {
    interval      = "10s"
    fast_interval = "5s"
    timeout       = "5s"
    rise          = 1
    fall          = 2
    path          = "/"
    status        = ["200-204", "301", "302"]
    server_name   = "shop.example.org"
    verify        = false
    certificate   = "/etc/keepalived/client.pem"
    key           = "/etc/keepalived/client.key"
  }

  server "10.0.0.1:443" { weight = 1 }
}

# All findings:
# changed meaning (3)
#   ssl-get.conf:2   SSL / ca /etc/ssl/our-ca.pem                                        keepalived reads it and looks at no certificate; it was left out, as verify = false; set ca = "/etc/ssl/our-ca.pem" and leave verify out, if the servers' certificates are to be checked
#   ssl-get.conf:6   virtual_server 192.0.2.21 443                                       no vrrp_instance has the address: vip "192.0.2.21" was made for it; give it the prefix length of its subnet; if it has to move together with others, put it into their group
#   ssl-get.conf:12  virtual_server 192.0.2.21 443 / real_server 10.0.0.1 443 / SSL_GET  check "https" with verify = false: keepalived looks at no certificate, and so it was done here; leave verify out, and name the authority with ca
#
# mapped (15)
#   ssl-get.conf:1   SSL                                                                                                    check "https": certificate, key
#   ssl-get.conf:3   SSL / certificate /etc/keepalived/client.pem                                                           check: certificate
#   ssl-get.conf:4   SSL / key /etc/keepalived/client.key                                                                   check: key
#   ssl-get.conf:6   virtual_server 192.0.2.21 443                                                                          service "tcp-192.0.2.21-443"
#   ssl-get.conf:7   virtual_server 192.0.2.21 443 / protocol TCP                                                           protocol
#   ssl-get.conf:8   virtual_server 192.0.2.21 443 / lvs_sched rr                                                           scheduler
#   ssl-get.conf:9   virtual_server 192.0.2.21 443 / lvs_method NAT                                                         forward, tunnel
#   ssl-get.conf:10  virtual_server 192.0.2.21 443 / delay_loop 10                                                          check: interval
#   ssl-get.conf:11  virtual_server 192.0.2.21 443 / real_server 10.0.0.1 443                                               server "10.0.0.1:443"
#   ssl-get.conf:13  virtual_server 192.0.2.21 443 / real_server 10.0.0.1 443 / SSL_GET / enable_sni                        check: server_name; left out, it is the host
#   ssl-get.conf:14  virtual_server 192.0.2.21 443 / real_server 10.0.0.1 443 / SSL_GET / sni_name shop.example.org         check: server_name
#   ssl-get.conf:15  virtual_server 192.0.2.21 443 / real_server 10.0.0.1 443 / SSL_GET / url                               check: path, status …
#   ssl-get.conf:16  virtual_server 192.0.2.21 443 / real_server 10.0.0.1 443 / SSL_GET / url / path /                      path
#   ssl-get.conf:17  virtual_server 192.0.2.21 443 / real_server 10.0.0.1 443 / SSL_GET / url / status_code 200-204 301 3…  status
#   ssl-get.conf:19  virtual_server 192.0.2.21 443 / real_server 10.0.0.1 443 / SSL_GET / connect_timeout 5                 check: timeout, for the whole probe
#
