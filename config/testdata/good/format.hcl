# Configuration of a quorate cluster.
# quorate plan FILE shows what would change, quorate apply FILE changes it.

# Settings of the cluster as a whole.
cluster {
  profile    = "lan"
  data_plane = "auto"
  observers  = 3
}

# VIPs that always have the same owner, and where they go.
group "pair" {
  preempt = true
}

# A virtual IP address, which one node at a time owns.
vip "db" {
  address   = "2001:db8::5/64"
  interface = "eth1"
  group     = "pair"
}

vip "web" {
  address = "192.0.2.10/24"
  prefer  = ["n1", "n2"]
}

# A virtual service: traffic to a port of a VIP, spread over real servers.
service "web-http" {
  vip       = "web"
  port      = 80
  protocol  = "tcp"
  scheduler = "wlc"
  forward   = "nat"

  check "http" {
    interval = "2s"
    timeout  = "1s"
    rise     = 2
    fall     = 3
    path     = "/healthz"
    status   = ["200-299"]
  }

  server "10.0.0.11:8080" { weight = 1 }
  server "10.0.0.12:8080" { weight = 1 }
}
