package fsm

// PostgresCheck is the part of a Check that only PostgreSQL has.
type PostgresCheck struct {
	User     string `json:"user,omitempty"`     // the role whose login is begun; "" = DefaultPostgresUser
	Database string `json:"database,omitempty"` // "" = DefaultPostgresDatabase
}

// What a login is begun with when nothing else is said. Neither has to exist.
const (
	DefaultPostgresUser     = "quorate"
	DefaultPostgresDatabase = "postgres"
)

func (p *PostgresCheck) validate(ps *Problems, object string) {
	for _, name := range []struct{ key, value string }{{"user", p.User}, {"database", p.Database}} {
		if !plainText(name.value) || len(name.value) > 63 {
			ps.add(object, name.key, short(name.value), "this is no name that PostgreSQL has", "use at most 63 characters of ASCII")
		}
	}
}

func (p *PostgresCheck) fields(f fields) {
	f.set("user", p.User)
	f.set("database", p.Database)
}

// RedisCheck is the part of a Check that only Redis has.
type RedisCheck struct {
	Role string `json:"role,omitempty"` // that the server must have: master or replica; "" = any
}

func (r *RedisCheck) validate(ps *Problems, object string) {
	oneOf(ps, object, "role", r.Role, "", "master", "replica")
}

func (r *RedisCheck) fields(f fields) { f.set("role", r.Role) }
