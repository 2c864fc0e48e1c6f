package fsm

// GRPCCheck is the part of a Check that only gRPC's health protocol has.
type GRPCCheck struct {
	Service string `json:"service,omitempty"` // asked for; "" = the server as a whole
}

func (g *GRPCCheck) validate(ps *Problems, object string) {
	if !plainText(g.Service) || len(g.Service) > 255 {
		ps.add(object, "service", short(g.Service), "this is no name of a gRPC service", `write it like "example.orders.v1.Orders"`)
	}
}

func (g *GRPCCheck) fields(f fields) { f.set("service", g.Service) }
