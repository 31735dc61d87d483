package unitfiles_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/service"
	"github.com/tope/updater/platform/unitfiles"
)

// A unit that systemd has not read yet is read as systemd would.
func TestWhatAUnitFileWouldExecute(t *testing.T) {
	l := unitfiles.Launch("web@7.service", []byte(`
# a comment
[Unit]
ExecStart=/not/this
[Service]
Type=forking
PIDFile=/run/%p.pid
User=web
SupplementaryGroups=video audio
WorkingDirectory=-/srv/%i
RuntimeDirectory=web
StateDirectory=web:old
EnvironmentFile=-/etc/default/web
EnvironmentFile=/etc/web.env
ExecStartPre=-/bin/mkdir -p "/srv/a b" ; +/bin/true
ExecStart=/usr/bin/python3 \
  # a comment between
  -u '/opt/x y/main.py'  $MORE %H
TimeoutStartSec=5min 20s
[Install]
WantedBy=multi-user.target
`), []byte("[Service]\nWorkingDirectory=/srv\nExecStart=\nExecStart=@/bin/sh web -c 'a \\; b'\nTimeoutStopSec=infinity"))
	require.Equal(t, service.Launch{
		Type: "forking", PIDFile: "/run/web.pid", User: "web", Groups: []string{"video", "audio"}, Dir: "/srv",
		Made: []string{"/run/web", "/var/lib/web"}, EnvFiles: []string{"/etc/web.env"}, StartLimit: 320 * time.Second,
		Commands: []service.Execution{
			{Phase: service.StartPre, Path: "/bin/mkdir", Args: []string{"/bin/mkdir", "-p", "/srv/a b"}, Lenient: true},
			{Phase: service.StartPre, Path: "/bin/true", Args: []string{"/bin/true"}, Privileged: true},
			{Phase: service.Main, Path: "/bin/sh", Args: []string{"web", "-c", "a ; b"}},
		},
	}, l)

	for text, want := range map[string]string{
		"ExecStart=/bin/x":                   "simple",
		"ExecStop=/bin/x":                    "oneshot",
		"BusName=x\nExecStart=/bin/x":        "dbus",
		"Type=notify\nExecStart=/bin/x":      "notify",
		"[Unit]\nType=notify\n[Service]\n\n": "oneshot",
	} {
		require.Equal(t, want, unitfiles.Launch("a.service", []byte("[Service]\n"+text)).Type, text)
	}
	require.Zero(t, unitfiles.Launch("a.service", []byte("[Service]\nType=oneshot\nExecStart=/bin/x")).StartLimit)
	require.Equal(t, 90*time.Second, unitfiles.Launch("a.service", []byte("[Service]\nExecStart=/bin/x")).StartLimit)
}

func FuzzLaunch(f *testing.F) {
	f.Add([]byte("[Service]\nExecStart=-/bin/sh -c \"a\\\nb\" ; /bin/true\nTimeoutSec=1min 2\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, c := range unitfiles.Launch("a.service", text, text).Commands {
			require.NotContains(t, c.Path, "\n")
		}
	})
}
