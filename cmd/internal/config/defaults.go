package config

import (
	"time"

	"github.com/tope/updater/platform/health"
	"github.com/tope/updater/platform/service"
)

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
		Recovery:  Recovery{Budget: 2, StartBound: Duration(service.StartBound)},
		Retention: Retention{Versions: 3, Updates: 100},
		Legacy:    Legacy{TrustWindow: Duration(24 * time.Hour), API: "open"},
		Units:     UnitNames{Allow: []string{"*"}},
		Download:  Download{MaxPatch: 24 << 20},
		Fleet: Fleet{
			Policy: PolicyInstall, Tenant: "DEFAULT", Auth: authTarget, TimeZone: "local",
			VetoTimeout: Duration(10 * time.Second), VetoFailure: VetoBusy, MaxDefer: Duration(30 * 24 * time.Hour),
			Metered: MeteredWait, Probation: Duration(24 * time.Hour),
		},
	}
	c.fill()
	return c
}

const stopTimeout = Duration(30 * time.Second)

// fill sets the services' keys that the file left out.
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
			h.Service = s.Name
			if h.Timeout == 0 {
				h.Timeout = Duration(health.DefaultTimeout)
			}
			if h.Kind == health.Active && h.Stable == 0 {
				h.Stable = Duration(health.DefaultStable)
			}
		}
	}
}

// usualHealth is the gate of a service without health checks of its own.
func (c *Config) usualHealth(name string) []health.Check {
	checks := []health.Check{{Kind: health.Active}}
	if name == "device-api" && c.DeviceAPI.URL != "" {
		checks = append(checks, health.Check{Kind: health.HTTP, URL: c.DeviceAPI.URL + "/health"})
	}
	return checks
}
