package claims

// FileSystems are the file systems that an update was played on, and the layouts of
// them: package cmd/internal/devices/filesystems plays the checks.
func FileSystems() Kind {
	return Kind{
		Name: "filesystems",
		Head: Word{English: "file systems", Chinese: "文件系统"},
		Names: []Word{
			{"`/opt` a link to another disk", "`/opt` a link to another disk", "`/opt` 链接到另一磁盘"},
			{"`/usr/local/bin` read-only", "`/usr/local/bin` read-only", "`/usr/local/bin` 只读"},
			{"`/var` tmpfs", "`/var` on tmpfs", "`/var` 在 tmpfs 上"},
			{"`versions` btrfs, `shared` xfs, state ext4", "`versions` on btrfs with `shared` on xfs and state on ext4", "`versions` 在 btrfs 上（`shared` 在 xfs、状态在 ext4 上）"},
			{"overlay on ext4", "overlay on ext4", "ext4 上的 overlay"},
			{"overlay on xfs", "overlay on xfs", "xfs 上的 overlay"},
		},
		Checks: []Word{
			{"zip", "update from a legacy `.zip`", "用旧格式 `.zip` 更新"},
			{"tope", "update from a `.tope` bundle, with hooks and a writable directory", "用 `.tope` 升级包更新，带钩子和可写目录"},
			{"bad", "a bad release is rolled back, and the data put back", "坏的发布会被回滚，数据恢复原样"},
			{"second", "another build of a version that is there", "安装已有版本的另一次构建"},
			{"rollback", "rollback by hand", "手动回滚"},
			{"prune", "removal of old versions", "清理旧版本"},
			{"factory", "restore and replace the factory version", "恢复和更换出厂版本"},
			{"killed", "the updater killed in the health gate", "updater 在健康检查时被杀死"},
			{"cut", "a power cut in the health gate, and the next update", "健康检查时断电，以及之后的更新"},
			{"verify", "reading every file back (`versions --verify`)", "读回并比较每个文件（`versions --verify`）"},
			{"capabilities", "file capabilities of a signed release, after a power cut; `versions --verify` finds them taken away", "签名发布的文件能力，断电后仍在；`versions --verify` 能发现能力被去掉"},
		},
	}
}
