package systemd

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/platform/service"
)

func TestWhatSystemdExecutes(t *testing.T) {
	command := func(path string, lenient bool, args ...string) []any {
		return []any{path, append([]string{path}, args...), lenient, uint64(0), uint64(0), uint64(0), uint64(0), uint32(0), int32(0), int32(0)}
	}
	p := properties{
		"LoadState": "loaded", "Type": "forking", "PIDFile": "/run/api.pid", "User": "api", "WorkingDirectory": "!/opt/x",
		"TimeoutStartUSec": uint64(5 * 60 * 1e6), "TimeoutStopUSec": uint64(math.MaxUint64),
		"ExecStartPre": [][]any{command("/bin/prepare", true)},
		"ExecStart":    [][]any{command("/usr/bin/python3", false, "/opt/x/main.py")},
	}
	l := p.launch()
	require.Equal(t, service.Launch{
		Type: "forking", PIDFile: "/run/api.pid", User: "api", Dir: "/opt/x", DirOptional: true, StartLimit: 5 * time.Minute,
		Commands: []service.Execution{
			{Phase: service.StartPre, Path: "/bin/prepare", Args: []string{"/bin/prepare"}, Lenient: true},
			{Phase: service.Main, Path: "/usr/bin/python3", Args: []string{"/usr/bin/python3", "/opt/x/main.py"}},
		},
	}, l)
	main, ok := l.MainCommand()
	require.True(t, ok)
	require.Equal(t, "/usr/bin/python3", main.Path)
	require.Zero(t, properties{"LoadState": "not-found", "Type": "simple"}.launch())
}

func TestInWhichControlGroup(t *testing.T) {
	for text, want := range map[string]bool{
		"0::/system.slice/a.service\n":                                              true,
		"0::/system.slice/a.service/sub\n":                                          true,
		"0::/system.slice/a.service2\n":                                             false,
		"5:cpu:/system.slice/a.service\n":                                           false,
		"5:cpu:/x\n1:name=systemd:/system.slice/a.service\n0::/elsewhere\n":         true,
		"1:name=systemd:/user.slice/user-0.slice\n0::/user.slice/user-0.slice\n":    false,
		"0::/../other.slice/a.service\n1:name=systemd:/system.slice/b.service\n":    false,
		"0::/system.slice/tope@1.service\n1:name=systemd:/system.slice/c.service\n": false,
	} {
		require.Equal(t, want, inGroup(text, "/system.slice/a.service"), text)
	}
}
