# Several keys on one line: not HCL by the letter, but understood.
vip "web" {
  address = "192.0.2.10/24"        # the interface is the one that has the subnet, unless named
  prefer  = ["n1", "n2"]
}
service "web-http" {
  vip       = "web"
  port      = 80
  protocol  = "tcp"
  scheduler = "wlc"
  forward   = "nat"                # nat | dr | tun
  check "http" { path = "/healthz"  status = ["200-299"]  interval = "2s"  timeout = "1s"  rise = 2  fall = 3 }
  server "10.0.0.11:8080" { weight = 1 }
  server "10.0.0.12:8080" { weight = 1 }
}
