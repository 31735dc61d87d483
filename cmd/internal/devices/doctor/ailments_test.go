package doctor_test

// ailment is something that happens to a device, and the doctor's finding about it.
type ailment struct {
	name string
	hurt string // a command for sh
	// finding is the finding to expect: the doctor's own has the same check and
	// level, and contains the texts of this one.
	finding finding
	// byHand is what a person does where the doctor can only use words. Where it is
	// empty, the commands of the finding are run as they are.
	byHand string
	// after takes away what the advice has kept.
	after string
}

const (
	scripts  = "/usr/share/tope-updater/"
	examples = scripts + "examples/"
	versions = "/opt/tope/versions/"
	etc      = "/etc/systemd/system/"
)

// dropIn gives a unit a drop-in of the operator's.
func dropIn(unit, section, text string) string {
	return "mkdir -p " + etc + unit + ".d && printf '[" + section + "]\\n" + text + "\\n' >" + etc + unit + ".d/10-mine.conf && systemctl daemon-reload"
}

// withoutDropIns takes away what the doctor's advice has moved aside.
func withoutDropIns(unit string) string { return "rm -f " + etc + unit + ".d/10-mine.conf*" }

// second is the configuration of an updater that shares only the versions.
const second = "[paths]\nstate = \"/var/lib/second\"\nrun = \"/run/second\"\n[http]\nlisten = \"\"\n[device_api]\nurl = \"\"\n[services]\nmanager = \"none\"\n"

// foreignUnit is another program under the name of our daemon.
const foreignUnit = "systemctl stop tope-updater && printf '[Service]\\nExecStart=/bin/sleep infinity\\n[Install]\\nWantedBy=multi-user.target\\n' >" + etc + "tope-updater.service && systemctl daemon-reload && systemctl start tope-updater"

// ailments of units, programs, processes and files. Tests beside the doctor try those of
// file systems, of the clock, and of the journal on the disk, without a machine.
var ailments = []ailment{
	// What a service runs.
	{
		name: "a link into a version, as the predecessor's script made it", hurt: "ln -sfn " + versions + "v1.0.0/bin/device-api /usr/local/bin/device-api && systemctl restart device-api",
		finding: finding{"services", "fail", "device-api runs, but from version 1.0.0, and current leads to 1.1.0", "links --adopt", ""},
		after:   "rm /usr/local/bin/device-api.before-tope",
	},
	{
		name: "a plain file in a link's place", hurt: "cp --remove-destination " + versions + "current/bin/device-api /usr/local/bin/device-api",
		finding: finding{"links", "fail", "/usr/local/bin/device-api is not a link", "links --adopt", ""},
		after:   "rm /usr/local/bin/device-api.before-tope",
	},
	{
		name: "a plain file that runs", hurt: "mkdir -p /usr/local/services && cp -r " + versions + "current/services/device-api /usr/local/services && cp --remove-destination " + versions + "current/bin/device-api /usr/local/bin/device-api && systemctl restart device-api",
		finding: finding{"services", "fail", "nothing that it runs is in a version", "links --adopt", ""},
		after:   "rm -rf /usr/local/bin/device-api.before-tope /usr/local/services",
	},
	{
		name: "a link that is missing", hurt: "rm /usr/local/bin/device-api",
		finding: finding{"links", "warn", "/usr/local/bin/device-api is missing", "tope-updater links", ""},
	},
	{
		name: "ExecStart= to nothing", hurt: dropIn("web-server.service", "Service", "ExecStart=\\nExecStart=/opt/tope/services/web-server/another"),
		finding: finding{"services", "fail", "web-server would not start again: ExecStart=/opt/tope/services/web-server/another", "10-mine.conf.aside", ""},
		after:   withoutDropIns("web-server.service"),
	},
	{
		name: "WorkingDirectory= to nothing", hurt: dropIn("web-server.service", "Service", "WorkingDirectory=/var/lib/nothing"),
		finding: finding{"services", "fail", "web-server would not start again: WorkingDirectory=/var/lib/nothing does not exist", "10-mine.conf.aside", ""},
		after:   withoutDropIns("web-server.service"),
	},
	{
		name: "a directory that the services may not pass", hurt: "chmod 700 /opt/tope",
		finding: finding{"services", "fail", "/opt/tope has the mode 0700", "chmod a+x /opt/tope", ""},
	},
	{
		name: "a masked unit", hurt: "systemctl --quiet mask web-server && systemctl stop web-server",
		finding: finding{"units", "fail", "web-server.service is masked", "systemctl unmask web-server.service", ""},
	},
	{
		name: "a broken unit", hurt: dropIn("web-server.service", "Service", "ExecStart=\\nExecStart=not/absolute") + " && systemctl stop web-server",
		finding: finding{"units", "fail", "web-server.service is bad-setting", "systemd-analyze verify", ""},
		after:   withoutDropIns("web-server.service"),
	},
	{
		name: "a unit that is not there", hurt: "systemctl stop web-server && mv /usr/lib/systemd/system/web-server.service /root && systemctl daemon-reload",
		finding: finding{"services", "fail", "knows no unit web-server.service", "install its unit", ""},
		byHand:  "mv /root/web-server.service /usr/lib/systemd/system && systemctl daemon-reload && systemctl start web-server",
	},
	{
		name: "a service that has failed", hurt: "systemctl kill --signal=KILL web-server; systemctl stop web-server",
		finding: finding{"services", "fail", "web-server is ", "journalctl -u web-server.service", ""},
	},
	{
		name: "a service that waits for its socket", hurt: "printf '[Socket]\\nListenStream=18080\\n' >" + etc + "web-server.socket && systemctl daemon-reload && systemctl stop web-server && systemctl start web-server.socket",
		finding: finding{"services", "pass", "web-server does not run: it waits for its socket or timer", "", ""},
		byHand:  "systemctl stop web-server.socket && rm " + etc + "web-server.socket && systemctl daemon-reload && systemctl start web-server",
	},
	{name: "a disabled service", hurt: "systemctl disable --quiet device-api", finding: finding{"units", "warn", "device-api.service is disabled", "systemctl enable device-api.service", ""}},
	{name: "a unit file newer than what systemd knows", hurt: "touch -d +5seconds " + etc + "device-api.service", finding: finding{"units", "warn", "has changed since systemd read it", "systemctl daemon-reload", ""}},
	{
		name: "a unit that does not wait for recovery", hurt: "sed -i /tope-updater-recover/d " + etc + "device-api.service; rm " + etc + "device-api.service.d/50-tope-updater.conf; systemctl daemon-reload",
		finding: finding{"units", "warn", "device-api.service does not wait for tope-updater-recover.service", "tope-updater units", ""},
	},
	{
		name: "a unit that a failed recovery would keep down", hurt: dropIn("web-server.service", "Unit", "Requires=tope-updater-recover.service"),
		finding: finding{"units", "warn", "web-server.service requires tope-updater-recover.service", "Wants=", ""},
		byHand:  withoutDropIns("web-server.service") + " && systemctl daemon-reload",
	},
	{
		name: "a service that works inside its version", hurt: dropIn("web-server.service", "Service", "WorkingDirectory=-/opt/tope/services/web-server"),
		finding: finding{"services", "warn", "WorkingDirectory=/opt/tope/services/web-server, inside a version", "", ""},
		after:   withoutDropIns("web-server.service"),
	},
	{
		name: "a unit that says so itself", hurt: "sed -i s,^WorkingDirectory=.*,WorkingDirectory=/opt/tope/services/device-api, " + etc + "device-api.service; systemctl daemon-reload",
		finding: finding{"services", "warn", "WorkingDirectory=/opt/tope/services/device-api, inside a version", "", ""},
		byHand:  "cp " + examples + "device-api.service " + etc + "; systemctl daemon-reload",
	},
	{
		name: "a device-api that does not answer", hurt: "systemctl stop web-server device-api",
		finding: finding{"device-api", "warn", "device-api does not answer", "start device-api", ""},
	},

	// Pointers and versions.
	{
		name: "no current version", hurt: "rm " + versions + "current",
		finding: finding{"pointers", "fail", "there is no current version, so no service can be started", "systemctl restart tope-updater.service", ""},
	},
	{
		name: "a current that somebody moved", hurt: "ln -sfn v1.0.0 " + versions + "current",
		finding: finding{"pointers", "fail", "current leads to 1.0.0, but the last update left the device on 1.1.0", "rollback --to 1.1.0", ""},
	},
	{
		name: "a current that leads elsewhere", hurt: "ln -sfn /tmp " + versions + "current",
		finding: finding{"pointers", "fail", `current leads to "/tmp", which is not a version`, "systemctl restart tope-updater.service", ""},
		after:   "rm " + versions + "current.aside",
	},
	{
		name: "a previous that leads nowhere", hurt: "ln -sfn v9.9.9 " + versions + "previous",
		finding: finding{"pointers", "warn", "previous leads to 9.9.9, which is missing", "links --pointers", ""},
		after:   "ln -sfn v1.0.0 " + versions + "previous",
	},
	{
		name: "a directory in a pointer's place", hurt: "rm " + versions + "previous && mkdir " + versions + "previous",
		finding: finding{"pointers", "warn", "previous: ", "links --pointers", ""},
		after:   "rmdir " + versions + "previous.aside && ln -sfn v1.0.0 " + versions + "previous",
	},
	{
		name: "ln -sf over a pointer", hurt: "ln -sf v1.0.0 " + versions + "current",
		finding: finding{"versions", "warn", "version 1.1.0 holds a stray link v1.0.0", "rm " + versions + "v1.1.0/v1.0.0", ""},
	},
	{
		name: "programs that the guide's chmod 0444 made unfit", hurt: "chmod 0444 " + versions + "factory/bin/*",
		finding: finding{"factory", "warn", "of the factory version 1.0.0 cannot be started", "factory create --replace 1.1.0", ""},
		after:   "chmod 0555 " + versions + "v1.0.0/bin/* && tope-updater factory create --replace 1.0.0",
	},
	{
		name: "a factory version that can be written", hurt: "chmod u+w " + versions + "factory/bin",
		finding: finding{"factory", "warn", "can be written, the first: bin", "factory create --replace 1.0.0", ""},
	},
	{
		name: "no factory version", hurt: "rm " + versions + "factory",
		finding: finding{"factory", "warn", "there is no factory version", "factory create 1.1.0", ""},
		after:   "tope-updater factory create --replace 1.0.0",
	},
	{
		name: "a service that writes into its version", hurt: "chmod u+w " + versions + "current/bin && touch " + versions + "current/bin/cache.db",
		finding: finding{"versions", "warn", "bin/cache.db is new", "[paths] writable", ""},
		byHand:  "cd " + versions + "current/bin && rm cache.db && chmod u-w .",
	},

	// Owners, keys, configuration and log.
	{name: "versions that belong to somebody else", hurt: "chown tope " + versions, finding: finding{"owners", "warn", "/opt/tope/versions belongs to user", "chown root:root /opt/tope/versions", ""}},
	{
		name: "a version that belongs to somebody else, as the guide's chown had it", hurt: "chown -R tope: " + versions + "v1.0.0",
		finding: finding{"owners", "warn", "of version 1.0.0 belong to somebody else", "chown -R -h root:root /opt/tope/versions/v1.0.0", ""},
	},
	{name: "a journal that everybody can write", hurt: "chmod o+w /var/lib/tope-updater/journal.db", finding: finding{"owners", "warn", "can be written by everybody", "chmod o-w /var/lib/tope-updater/journal.db", ""}},
	{
		name: "a log that is lost at a boot", hurt: "printf '[Journal]\\nStorage=volatile\\n' >/etc/systemd/journald.conf.d/size.conf",
		finding: finding{"log", "warn", "does not outlive a boot", "Storage=persistent", ""},
		after:   "rm /etc/systemd/journald.conf.d/*; printf '[Journal]\\nSystemMaxUse=100M\\n' >/etc/systemd/journald.conf.d/size.conf",
	},
	{
		name: "a key that is none", hurt: "echo nonsense >/etc/tope-updater/keys/mine.pub",
		finding: finding{"trust", "fail", "mine.pub", "", ""},
		byHand:  "rm /etc/tope-updater/keys/mine.pub",
	},
	{
		name: "a configuration with a mistake in it", hurt: "cp -a /etc/tope-updater/config.toml /root/; echo nonsense = 1 >>/etc/tope-updater/config.toml",
		byHand: "mv /root/config.toml /etc/tope-updater/",
	},
	{
		name: "links that cannot be made", hurt: "mount --bind /usr/local/bin /usr/local/bin && mount -o remount,bind,ro /usr/local/bin",
		finding: finding{"filesystems", "warn", "/usr/local/bin is mounted read-only", "mount -o remount,rw /usr/local/bin", ""},
		after:   "umount /usr/local/bin && systemctl restart tope-updater",
	},

	// The daemon.
	{name: "no recovery at boot", hurt: "systemctl disable --quiet tope-updater-recover", finding: finding{"units", "warn", "it does not run at boot", "systemctl enable tope-updater-recover.service", ""}},
	{name: "no daemon after a boot", hurt: "systemctl disable --quiet tope-updater", finding: finding{"units", "warn", "it does not run after a boot", "systemctl enable --now tope-updater.service", ""}},
	{name: "a stopped daemon", hurt: "systemctl stop tope-updater", finding: finding{"units", "fail", "tope-updater.service is inactive", "systemctl start tope-updater.service", ""}},
	{
		name: "a daemon that systemd has given up", hurt: dropIn("tope-updater.service", "Unit", "StartLimitBurst=1\\nOnFailure=\\n[Service]\\nRestartSec=100ms") + " && systemctl restart tope-updater && systemctl kill --signal=KILL tope-updater && until systemctl --quiet is-failed tope-updater; do sleep .05; done; " + withoutDropIns("tope-updater.service") + "; systemctl daemon-reload",
		finding: finding{"units", "fail", "tope-updater.service has failed, and is off", "systemctl reset-failed tope-updater.service", ""},
	},
	{
		name: "a socket that somebody has removed", hurt: "rm /run/tope-updater/api.sock",
		finding: finding{"daemon", "fail", "nobody answers on /run/tope-updater/api.sock", "systemctl restart tope-updater.service", ""},
	},
	{
		name: "a socket that systemd holds and a daemon that is known all the same", hurt: "systemctl stop tope-updater && systemctl start tope-updater.socket tope-updater",
		finding: finding{"daemon", "pass", "it answers on /run/tope-updater/api.sock, process ", "", ""},
		byHand:  "systemctl stop tope-updater tope-updater.socket && systemctl start tope-updater",
	},
	{
		name: "somebody else's unit under the daemon's name", hurt: foreignUnit,
		finding: finding{"units", "fail", "tope-updater.service is not the updater's: /etc/systemd/system/tope-updater.service executes something else", "move it aside", ""},
		after:   "rm " + etc + "tope-updater.service.aside",
	},
	{
		name: "a daemon that has been replaced on the disk", hurt: "cp /usr/lib/tope-updater/tope-updater /usr/lib/tope-updater/.new && mv /usr/lib/tope-updater/.new /usr/lib/tope-updater/tope-updater",
		finding: finding{"daemon", "warn", "still runs a program that has been replaced", "systemctl restart tope-updater.service", ""},
	},
	{
		name: "a committed updater that is gone", hurt: "mv /usr/lib/tope-updater/tope-updater /root/updater",
		finding: finding{"units", "fail", "/usr/lib/tope-updater/tope-updater", "install the package again", ""},
		byHand:  "mv /root/updater /usr/lib/tope-updater/tope-updater && systemctl restart tope-updater",
	},
	{
		name: "a second updater on the same versions", hurt: "systemctl stop tope-updater && systemd-run --quiet --unit=second /usr/lib/tope-updater/tope-updater --config /root/second.toml serve && until [ -S /run/second/api.sock ]; do sleep .05; done; systemctl start --no-block tope-updater",
		finding: finding{"daemon", "fail", "another updater works on /opt/tope/versions: tope-updater (process ", "kill ", ""},
	},
	{
		name: "somebody else on the updater's port", hurt: "systemctl stop tope-updater && systemd-run --quiet --unit=squatter /usr/local/bin/device-api --listen 127.0.0.1:12315 && until curl -fsS -o /dev/null 127.0.0.1:12315; do sleep .05; done",
		finding: finding{"http api", "fail", "is not the updater but device-api (process ", "[http] listen", ""},
		byHand:  "systemctl stop squatter && systemctl start tope-updater",
	},

	// The journal. After the first of these it is a new one.
	{
		name: "a journal that somebody else has locked", hurt: "systemctl stop tope-updater && systemd-run --quiet --unit=reader flock -F -s /var/lib/tope-updater/journal.db sleep 1000 && until grep -q FLOCK /proc/locks && pgrep -x sleep >/dev/null; do sleep .05; done",
		finding: finding{"journal", "fail", "the journal is locked by sleep (process ", "kill ", ""},
	},
	{
		name: "a journal that is deleted under the daemon", hurt: "rm /var/lib/tope-updater/journal.db",
		finding: finding{"journal", "fail", "has been deleted or replaced", "systemctl restart tope-updater.service", ""},
	},
	{
		name: "a journal that is gone", hurt: "systemctl stop tope-updater && rm /var/lib/tope-updater/journal.db",
		finding: finding{"journal", "fail", "there is no journal", "systemctl restart tope-updater.service", ""},
	},
}
