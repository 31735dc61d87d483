package fleet_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"aead.dev/minisign"
	"github.com/godbus/dbus/v5"
	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/devices/devicetest"
	"github.com/tope/updater/cmd/internal/fixtures"
	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/fleet"
)

// networkManager is NetworkManager on the device's bus, as far as the updater asks it.
type networkManager struct{ metered atomic.Uint32 }

// Get answers for a property.
func (m *networkManager) Get(string, string) (dbus.Variant, *dbus.Error) {
	return dbus.MakeVariant(m.metered.Load()), nil
}

// managed puts one on the bus of a device that is on. Its policy has to be there before.
func managed(t *testing.T, r *rig) *networkManager {
	t.Helper()
	socket, err := r.Dial(t.Context(), "unix", "/run/dbus/system_bus_socket")
	require.NoError(t, err)
	bus, err := dbus.NewConn(socket)
	require.NoError(t, err)
	t.Cleanup(func() { _ = bus.Close() })
	require.NoError(t, bus.Auth([]dbus.Auth{dbus.AuthExternal("0")}))
	require.NoError(t, bus.Hello())
	m := &networkManager{}
	const name = "org.freedesktop.NetworkManager"
	require.NoError(t, bus.Export(m, "/org/freedesktop/NetworkManager", "org.freedesktop.DBus.Properties"))
	reply, err := bus.RequestName(name, dbus.NameFlagDoNotQueue)
	require.NoError(t, err)
	require.Equal(t, dbus.RequestNameReplyPrimaryOwner, reply)
	return m
}

const busPolicy = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><policy user="root"><allow own="org.freedesktop.NetworkManager"/></policy>
<policy context="default"><allow send_destination="org.freedesktop.NetworkManager"/></policy></busconfig>
`

// large is a release that takes more than a day's data.
func large(version string) fixtures.Release {
	data := make([]byte, 5<<20)
	r := rand.NewChaCha8([32]byte([]byte(version + strings.Repeat(".", 32-len(version)))))
	_, _ = r.Read(data) // it always reads all
	return fixtures.Release{Version: version, Files: map[string][]byte{"services/web-server/data": data}}
}

// What the loop asks of the device in the daemon's sandbox: the network, the time zone, a
// program, and a file in which the day's data is counted.
func TestTheDevicesOwnWords(t *testing.T) {
	t.Parallel()
	const zone = "Asia/Kathmandu" // a quarter to: no other place's time
	at, err := time.LoadLocation(zone)
	require.NoError(t, err)
	now := time.Now().In(at)
	p := publishing(t)
	r := subscribed(t, p, "[[fleet.window]]\nfrom = \""+now.Add(-time.Hour).Format("15:04")+"\"\nto = \""+now.Add(time.Hour).Format("15:04")+"\"\n")
	const config = "/etc/tope-updater/config.toml"
	text := r.Read(config)
	r.Write(config, strings.Replace(text, "[fleet]\n",
		"[fleet]\ntime_zone = \""+zone+"\"\ndata_budget = \"4MB\"\n", 1), 0o644)
	r.Write("/etc/dbus-1/system.d/nm.conf", busPolicy, 0o644)
	r.on()
	require.Empty(t, r.fleet().Failure)
	m := managed(t, r)
	m.metered.Store(1)
	p.publish(large("1.0.1"))
	s := r.check()
	require.NotNil(t, s.Wait, s.Text)
	require.Equal(t, string(fleet.Thrifty), s.Wait.Reason)
	require.Contains(t, s.Wait.Text, "the network is metered")
	require.Nil(t, s.Update)

	p.publish(fixtures.Release{Version: "1.1.0"})
	m.metered.Store(2)
	r.MustRun("systemctl", "restart", devicetest.Daemon) // an answer about the network counts for a while
	r.Answers()
	r.check()
	s = r.waits(fleet.OutsideWindow) // its turn in the window
	require.Contains(t, s.Wait.Text, "turn in it")

	p.publish(large("1.2.0"))
	r.check()
	spent := func() bool {
		return strings.Contains(r.MustRun(devicetest.Updater, "fleet", "status"), "data budget of 4 MB is used up")
	}
	r.Within(time.Minute, "the data is used up", spent)
	require.Contains(t, r.Read("/var/lib/tope-updater/data-today"), now.Format("2006-01-02 "))
	r.cut()
	r.check()
	r.Within(time.Minute, "it is over a boot, too", spent)
	p.requests("")
	r.Write(config, strings.Replace(r.Read(config), "4MB", "40MB", 1), 0o644)
	r.MustRun("systemctl", "restart", devicetest.Daemon)
	r.Answers()
	r.check()
	r.waits(fleet.OutsideWindow)
	rest := p.requests(".tope")
	require.Len(t, rest, 1, "what was fetched is not fetched again")
	require.NotContains(t, rest[0], "bytes=0-")
	require.Empty(t, r.Failed())
}

// A device that is busy says so in its own words, until it is free.
func TestABusyDevice(t *testing.T) {
	t.Parallel()
	p := publishing(t)
	r := subscribed(t, p, "")
	const config = "/etc/tope-updater/config.toml"
	r.Write(config, strings.Replace(r.Read(config), "[fleet]\n", "[fleet]\nveto = [\"/usr/local/bin/busy\", \"printer\"]\n", 1), 0o644)
	r.Write("/usr/local/bin/busy", "#!/bin/sh\n[ ! -e /run/busy ] || { echo \"$1 has work: $(cat /run/busy)\"; exit 1; }\n", 0o755)
	r.on()
	r.MustRun("sh", "-c", "echo invoices >/run/busy")
	p.publish(fixtures.Release{Version: "1.1.0"})
	r.check()
	require.Contains(t, r.waits(fleet.Busy).Wait.Text, "printer has work: invoices")
	r.MustRun("rm", "/run/busy")
	r.check()
	require.Equal(t, engine.Committed, r.ends("1.1.0").State)

	// And what the updater sees of a version on probation.
	r.Spoil("1.1.0", devicetest.DeviceAPI, "exit")
	r.MustRun("systemctl", "kill", "--signal=KILL", devicetest.DeviceAPI)
	r.Within(time.Minute, "it has failed for good", func() bool { return r.Property(devicetest.DeviceAPI, "ActiveState") == "failed" })
	r.check()
	s := r.check()
	require.NotNil(t, s.Probation)
	require.Equal(t, "device-api has failed", s.Probation.Doubt)
	r.Spoil("1.1.0", devicetest.DeviceAPI, "healthy")
	r.MustRun("systemctl", "reset-failed", devicetest.DeviceAPI)
	r.MustRun("systemctl", "start", devicetest.DeviceAPI)
	r.check()
	require.Empty(t, r.check().Probation.Doubt)
}

// signedKeys is what keys.signed beside a channel is, by root.
func signedKeys(t *testing.T, root minisign.PrivateKey, serial int, keys ...map[string]any) []byte {
	t.Helper()
	list, err := json.Marshal(map[string]any{"schema": 1, "serial": serial, "keys": keys})
	require.NoError(t, err)
	text, err := json.Marshal(map[string]any{"schema": 1, "keys": list, "signatures": [][]byte{minisign.Sign(root, list)}})
	require.NoError(t, err)
	return text
}

// The keys that a channel brings are put in force in the sandbox; then a release by the new
// key is installed, and none by the one that was revoked. Also where the configuration has moved
// the keys.
func TestKeysOfAChannel(t *testing.T) {
	t.Parallel()
	for dir, config := range map[string]string{"/etc/tope-updater/keys": "", "/srv/keys": "[paths]\nkeys = \"/srv/keys\"\n"} {
		t.Run(dir, func(t *testing.T) {
			t.Parallel()
			keysOfAChannel(t, dir, config)
		})
	}
}

func keysOfAChannel(t *testing.T, dir, config string) {
	p := publishing(t)
	p.do("keygen", "fresh")
	public := func(name string) string {
		text, err := os.ReadFile(filepath.Join(p.dir, name+".pub"))
		require.NoError(t, err)
		return string(bytes.TrimSpace(bytes.Split(text, []byte("\n"))[1]))
	}
	rootPublic, root, err := minisign.GenerateKey(nil)
	require.NoError(t, err)
	rootText, err := rootPublic.MarshalText()
	require.NoError(t, err)
	key := func(name, use string, revoked bool) map[string]any {
		k := map[string]any{"name": name, "key": public(name), "revoked": revoked}
		if use != "" {
			k["use"] = []string{use}
		}
		return k
	}
	r := subscribedWith(t, p, dir, config)
	r.Write(dir+"/root/a.pub", string(rootText)+"\n", 0o644)
	r.on()
	put := func(name string, text []byte) {
		require.NoError(t, os.WriteFile(filepath.Join(p.dir, name), text, 0o600))
	}
	put("keys.signed", signedKeys(t, root, 3, key("release", "", true), key("fresh", "", false), key("online", "channel", false)))
	p.do("channel", "init", "new.json", "--product", "device", "--keys-serial", "3")
	source, err := os.ReadFile(filepath.Join(p.dir, "new.json"))
	require.NoError(t, err)
	put("stable.json", bytes.ReplaceAll(source, []byte(`"new"`), []byte(`"stable"`)))
	p.publish(fixtures.Release{Version: "1.1.0"}) // by the key that is revoked
	r.check()
	require.Contains(t, r.Read(dir+"/keys.signed"), "signatures")
	require.Regexp(t, `valid +keys.json .* fresh`, r.MustRun(devicetest.Updater, "keys", "list"))
	end := r.ends("1.1.0")
	require.Equal(t, engine.Failed, end.State)
	require.Contains(t, end.Text, "revoked key")

	for _, end := range []string{".key", ".pub"} {
		text, err := os.ReadFile(filepath.Join(p.dir, "fresh"+end))
		require.NoError(t, err)
		put("release"+end, text)
	}
	p.publish(fixtures.Release{Version: "1.2.0"})
	r.check()
	require.Equal(t, engine.Committed, r.ends("1.2.0").State)
	r.Whole("1.2.0")
}
