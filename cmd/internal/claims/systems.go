package claims

// Systems are the systems that an update was played on: package
// cmd/internal/devices/systems plays the checks.
func Systems() Kind {
	return Kind{
		Name: "systems",
		Head: Word{English: "system", Chinese: "系统"},
		// Not the kernel: it is that of whoever runs the test.
		Facts: []Word{{ID: "systemd", English: "systemd", Chinese: "systemd"}},
		Checks: []Word{
			{"package", "installing the Debian package", "安装 Debian 软件包"},
			{"zip", "update from a legacy `.zip`", "用旧格式 `.zip` 更新"},
			{"tope", "update from a `.tope` bundle", "用 `.tope` 升级包更新"},
			{"bad", "a bad release is rolled back", "坏的发布会被回滚"},
			{"rollback", "rollback by hand", "手动回滚"},
			{"snapshot", "snapshots of data, put back with owners and modes (also setgid)", "数据快照：恢复时保留属主和权限（包括 setgid）"},
			{"prune", "removal of old versions", "清理旧版本"},
			{"cut", "power cuts in an update", "更新途中断电"},
			{"old-calls", "without the system calls that Linux has gained since 4.4", "没有 Linux 4.4 之后新增的系统调用"},
			{"upgrade", "upgrading the package", "升级软件包"},
			{"removal", "removing the package", "卸载软件包"},
		},
	}
}
