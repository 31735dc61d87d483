package doctor_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/builttest"
	"github.com/tope/updater/cmd/internal/devices/devicetest"
	"github.com/tope/updater/cmd/internal/fixtures"
)

// finding is a line of the doctor's, as --json tells it.
type finding struct{ Check, Level, Text, Do string }

// ailment is something that happens to a device, and the doctor's finding about it.
type ailment struct {
	name string
	hurt string // a command for sh
	// finding is the finding to expect: the doctor's own has the same check and
	// level, and contains the texts of this one.
	finding finding
	// heal is the command that repairs the device; if empty, the doctor's advice.
	heal string
}

const (
	scripts  = "/usr/share/tope-updater/"
	examples = scripts + "examples/"
)

// ailments of units, programs and files. Tests beside the doctor try those of
// file systems, ports and the journal on the disk, without a machine.
var ailments = []ailment{
	{
		"a unit that does not wait for recovery",
		"sed -i /tope-updater-recover/d /etc/systemd/system/device-api.service; rm /etc/systemd/system/device-api.service.d/50-tope-updater.conf; systemctl daemon-reload",
		finding{"units", "fail", "device-api.service does not wait for tope-updater-recover.service", "tope-updater units"},
		"tope-updater units",
	},
	{
		"a unit that a failed recovery would keep down",
		"mkdir -p /etc/systemd/system/web-server.service.d; printf '[Unit]\\nRequires=tope-updater-recover.service\\n' >/etc/systemd/system/web-server.service.d/10-mine.conf; systemctl daemon-reload",
		finding{"units", "fail", "web-server.service requires tope-updater-recover.service", "Wants="},
		"rm /etc/systemd/system/web-server.service.d/10-mine.conf; systemctl daemon-reload",
	},
	{
		"a masked unit",
		"cd /etc/systemd/system && mv web-server.service /root && systemctl --quiet mask web-server.service",
		finding{"units", "fail", "web-server.service is masked", "systemctl unmask web-server.service"},
		"systemctl --quiet unmask web-server.service && mv /root/web-server.service /etc/systemd/system && systemctl enable --quiet web-server",
	},
	{
		"a unit that is not there",
		"systemctl stop web-server && mv /etc/systemd/system/web-server.service /root && systemctl daemon-reload",
		finding{"services", "fail", "knows no unit web-server.service", "install its unit"},
		"mv /root/web-server.service /etc/systemd/system && systemctl daemon-reload && systemctl start web-server",
	},
	{"a disabled service", "systemctl disable --quiet device-api", finding{"units", "warn", "device-api.service is disabled", "systemctl enable device-api.service"}, ""},
	{"a unit file newer than what systemd knows", "touch -d +5seconds /etc/systemd/system/device-api.service", finding{"units", "warn", "has changed since systemd read it", "systemctl daemon-reload"}, ""},
	{"no recovery at boot", "systemctl disable --quiet tope-updater-recover", finding{"units", "fail", "it does not run at boot", "systemctl enable tope-updater-recover.service"}, ""},
	{"no daemon after a boot", "systemctl disable --quiet tope-updater", finding{"units", "fail", "it does not run after a boot", "systemctl enable --now tope-updater.service"}, ""},
	{"a stopped daemon", "systemctl stop tope-updater", finding{"units", "warn", "tope-updater.service is inactive", "systemctl start tope-updater.service"}, ""},
	{
		"a service that has failed", "systemctl kill --signal=KILL web-server; systemctl stop web-server",
		finding{"services", "fail", "web-server is ", "journalctl -u web-server.service"},
		"systemctl start web-server",
	},
	{
		"somebody else on the updater's port",
		"systemctl stop tope-updater && systemd-run --quiet --unit=squatter /usr/local/bin/device-api --listen 127.0.0.1:12315 && until curl -fsS -o /dev/null 127.0.0.1:12315; do sleep .05; done",
		finding{"http api", "fail", "is not the updater but device-api (process ", "[http] listen"},
		"systemctl stop squatter && systemctl start tope-updater",
	},
	{
		"a device-api that does not answer", "systemctl stop web-server device-api",
		finding{"device-api", "warn", "device-api does not answer", "start device-api"},
		"systemctl start device-api web-server",
	},
	{
		"a pointer that leads nowhere", "ln -sfn v9.9.9 /opt/tope/versions/previous",
		finding{"pointers", "fail", "previous leads to 9.9.9, which is missing", ""},
		"ln -sfn v1.0.0 /opt/tope/versions/previous",
	},
	{
		"a directory in a pointer's place", "mv /opt/tope/versions/previous /root/ && mkdir /opt/tope/versions/previous",
		finding{"pointers", "fail", "previous: ", "move it away"},
		"rmdir /opt/tope/versions/previous && mv /root/previous /opt/tope/versions/",
	},
	{
		"a file in a link's place", "cp --remove-destination /opt/tope/versions/current/bin/device-api /usr/local/bin/device-api",
		finding{"links", "fail", "/usr/local/bin/device-api is not a link", "tope-updater links"},
		scripts + "setup_symlinks.sh --adopt && rm /usr/local/bin/device-api.before-tope",
	},
	{
		"programs that the guide's chmod 0444 made unfit", "chmod 0444 /opt/tope/versions/factory/bin/*",
		finding{"factory", "fail", "of the factory version 1.0.0 cannot be started", "factory create --replace"},
		"chmod 0555 /opt/tope/versions/factory/bin/*",
	},
	{
		"a factory version that can be written", "chmod u+w /opt/tope/versions/factory/bin",
		finding{"factory", "warn", "can be written, the first: bin", ""},
		"tope-updater factory create --replace 1.0.0",
	},
	{
		"a service that writes into its version", "chmod u+w /opt/tope/versions/current/bin && touch /opt/tope/versions/current/bin/cache.db",
		finding{"versions", "warn", "bin/cache.db is new", "[paths] writable"},
		"cd /opt/tope/versions/current/bin && rm cache.db && chmod u-w .",
	},
	{
		"a service that works inside its version", "sed -i s,^WorkingDirectory=.*,WorkingDirectory=/opt/tope/services/web-server, /etc/systemd/system/web-server.service; systemctl daemon-reload",
		finding{"services", "warn", "WorkingDirectory=/opt/tope/services/web-server, inside a version", ""},
		"cp " + examples + "web-server.service /etc/systemd/system/; systemctl daemon-reload",
	},
	{
		"a drop-in that has it work there", "mkdir -p /etc/systemd/system/web-server.service.d; printf '[Service]\\nWorkingDirectory=-/opt/tope/services/web-server\\n' >/etc/systemd/system/web-server.service.d/10-mine.conf; systemctl daemon-reload",
		finding{"services", "warn", "WorkingDirectory=/opt/tope/services/web-server, inside a version", ""},
		"rm /etc/systemd/system/web-server.service.d/10-mine.conf; systemctl daemon-reload",
	},
	{"versions that belong to somebody else", "chown tope /opt/tope/versions", finding{"owners", "fail", "/opt/tope/versions belongs to user", "chown root:root /opt/tope/versions"}, ""},
	{
		"a version that belongs to somebody else, as the guide's chown had it", "chown -R tope: /opt/tope/versions/v1.0.0",
		finding{"owners", "fail", "of version 1.0.0 belong to somebody else", "chown -R -h root:root /opt/tope/versions/v1.0.0"},
		"",
	},
	{"a journal that everybody can write", "chmod o+w /var/lib/tope-updater/journal.db", finding{"owners", "fail", "can be written by everybody", "chmod o-w /var/lib/tope-updater/journal.db"}, ""},
	{
		"a log that is lost at a boot", "printf '[Journal]\\nStorage=volatile\\n' >/etc/systemd/journald.conf.d/size.conf",
		finding{"log", "warn", "does not outlive a boot", "mkdir -p /var/log/journal"},
		"printf '[Journal]\\nSystemMaxUse=100M\\n' >/etc/systemd/journald.conf.d/size.conf",
	},
	{
		"a key that is none", "echo nonsense >/etc/tope-updater/keys/mine.pub",
		finding{"trust", "fail", "mine.pub", ""},
		"rm /etc/tope-updater/keys/mine.pub",
	},
	{
		"a configuration with a mistake in it", "cp -a /etc/tope-updater/config.toml /root/; echo nonsense = 1 >>/etc/tope-updater/config.toml",
		finding{},
		"mv /root/config.toml /etc/tope-updater/",
	},
	{
		"a committed updater that is gone", "mv /usr/lib/tope-updater/tope-updater /root/updater",
		finding{"units", "fail", "/usr/lib/tope-updater/tope-updater", "install the package again"},
		"mv /root/updater /usr/lib/tope-updater/tope-updater",
	},
}

// Each ailment is told with the advice, and after the advice has been followed
// the device is as well as before.
func TestTheDoctorTellsWhatAilsADevice(t *testing.T) {
	t.Parallel()
	d := devicetest.ByHand(t)
	pkg := d.Give(devicetest.Deb(t, "tope-updater", "", builttest.Version))
	d.Put(builttest.Updater(t, builttest.Version), "/root/tope-updater", 0o755) // a copy that examines, whatever happens to the installed one
	d.Write("/etc/systemd/journald.conf.d/size.conf", "[Journal]\nSystemMaxUse=100M\n", 0o644)
	d.Boot()
	d.MustRun("dpkg", "-i", pkg)
	d.MustRun(scripts + "setup_symlinks.sh")
	d.MustRun("systemctl", "enable", "--now", "--quiet", "device-api.service", "web-server.service")
	d.MustRun("tope-updater", "install", d.Offer(fixtures.Release{Version: "1.1.0"}))
	d.MustRun(scripts+"create_factory_version.sh", "1.0.0")

	well, _, err := examine(t, d)
	require.NoError(t, err)
	for _, f := range well {
		// Warnings are normal here for unsigned releases of any product,
		// and for a container's overlay.
		require.True(t, f.Level == "pass" || f.Check == "trust" || f.Check == "filesystems", "%+v", f)
		require.NotEqual(t, "fail", f.Level, "%+v", f)
	}
	for _, a := range ailments {
		d.MustRun("sh", "-c", a.hurt)
		ill, said, err := examine(t, d)
		if a.finding == (finding{}) {
			require.Error(t, err, a.name)
			require.Contains(t, said, "nonsense", a.name)
			d.MustRun("sh", "-c", a.heal)
			continue
		}
		i := slices.IndexFunc(ill, func(f finding) bool {
			return f.Check == a.finding.Check && f.Level == a.finding.Level && strings.Contains(f.Text, a.finding.Text) && strings.Contains(f.Do, a.finding.Do)
		})
		if i < 0 {
			t.Errorf("%s: %+v is not in %+v", a.name, a.finding, ill)
		} else {
			require.NotEmpty(t, ill[i].Do, a.name)
			// The doctor itself never fails; it exits with 13 when any finding is a fail.
			fails := strings.Contains(levels(ill), " fail\n")
			require.Equal(t, fails, err != nil && strings.Contains(err.Error(), "exit status 13"), "%s: %v", a.name, err)
			if a.heal == "" {
				a.heal = ill[i].Do
			}
		}
		d.MustRun("sh", "-c", a.heal)
		// A daemon that was just started may not listen yet.
		var again []finding
		for deadline := time.Now().Add(5 * time.Second); levels(again) != levels(well) && time.Now().Before(deadline); {
			again, _, _ = examine(t, d)
		}
		if levels(again) != levels(well) {
			t.Errorf("%s is not repaired: %+v", a.name, again)
		}
	}
}

// examine returns what the doctor finds, what it prints, and how it ends.
func examine(t *testing.T, d *devicetest.Device) (all []finding, said string, err error) {
	t.Helper()
	said, err = d.Run("sh", "-c", "/root/tope-updater doctor --json 2>/tmp/err; code=$?; cat /tmp/err >&2; exit $code")
	var answer struct{ Findings []finding }
	if at := strings.LastIndex(said, "\n}"); at > 0 {
		require.NoError(t, json.Unmarshal([]byte(said[:at+2]), &answer), said)
	}
	return answer.Findings, said, err
}

// levels lists the checks, each with the level of its finding, one a line.
func levels(all []finding) string {
	var b strings.Builder
	for _, f := range all {
		b.WriteString(f.Check + " " + f.Level + "\n")
	}
	return b.String()
}
