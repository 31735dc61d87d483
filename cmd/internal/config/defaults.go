package config

import "time"

// Default is the configuration of a device that has no file.
func Default() Config {
	c := Config{
		Paths: Paths{
			Versions: "/opt/tope/versions",
			Shared:   "/opt/tope/shared",
			Services: "/opt/tope/services",
			Bin:      "/usr/local/bin",
			State:    "/var/lib/tope-updater",
			Run:      "/run/tope-updater",
			Keys:     "/etc/tope-updater/keys",
		},
		HTTP:      HTTP{Listen: "127.0.0.1:12315"},
		DeviceAPI: DeviceAPI{URL: "http://127.0.0.1:9080"},
		Services:  Services{Manager: Systemd},
		// Only the service that every device has. A package restarts those
		// that its manifest names as well.
		Service:   []Service{{Name: "device-api"}},
		Recovery:  Recovery{Budget: 2},
		Retention: Retention{Versions: 3, Updates: 100},
		Legacy:    Legacy{TrustWindow: Duration(24 * time.Hour)},
		Download:  Download{MaxPatch: 24 << 20},
	}
	c.fill()
	return c
}

// Defaults of a health check and of a service.
const (
	stopTimeout   = Duration(30 * time.Second)
	healthTimeout = Duration(30 * time.Second)
	healthStable  = Duration(5 * time.Second)
)

// fill gives the services what the file left out.
func (c *Config) fill() {
	for i := range c.Service {
		s := &c.Service[i]
		if s.Unit == "" {
			s.Unit = s.Name + ".service"
		}
		if len(s.Exec) == 0 {
			s.Exec = []string{c.Paths.Bin + "/" + s.Name}
		}
		if s.StopTimeout == 0 {
			s.StopTimeout = stopTimeout
		}
		if len(s.Health) == 0 {
			s.Health = c.usualHealth(s.Name)
		}
		for j := range s.Health {
			h := &s.Health[j]
			if h.Timeout == 0 {
				h.Timeout = healthTimeout
			}
			if h.Kind == Active && h.Stable == 0 {
				h.Stable = healthStable
			}
		}
	}
}

// usualHealth is the gate of a service that says nothing of its own.
func (c *Config) usualHealth(name string) []Health {
	checks := []Health{{Kind: Active}}
	if name == "device-api" && c.DeviceAPI.URL != "" {
		checks = append(checks, Health{Kind: HTTPGet, URL: c.DeviceAPI.URL + "/health"})
	}
	return checks
}
