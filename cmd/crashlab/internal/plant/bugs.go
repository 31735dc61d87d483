package plant

// Bug is one mistake to plant.
type Bug struct {
	Name string
	// About says what is wrong, and why it matters.
	About string
	// File is edited: Old, which must be there exactly once, becomes New.
	File, Old, New string
	// Mode and Flow must find the bug.
	Mode, Flow string
	// From is the call from which Lose begins, empty for the first, and the call at
	// which Killed kills.
	From string
}

// Modes that find bugs.
const (
	Kill   = "kill"
	Errno  = "errno"
	Lose   = "lose"
	Killed = "killed"
)

// Bugs are all the bugs.
func Bugs() []Bug {
	return []Bug{
		{
			Name: "no syncfs before publish", Mode: Lose, Flow: "install",
			About: "a version gets its name before its files are on disk",
			File:  "platform/versions/publish.go",
			Old:   "\treturn disk.SyncFS(ctx, dir)\n",
			New:   "\treturn nil\n",
		},
		{
			Name: "no directory fsync of the download", Mode: Lose, Flow: "install",
			About: "the journal says that the package is there, and its name may not be",
			File:  "steps/download/sink.go",
			Old:   "\t// content. After the next line it has the bundle's name, durably.\n\tif err := disk.SyncDir(s.dir); err != nil {\n",
			New:   "\tif err := error(nil); err != nil {\n",
		},
		{
			Name: "no directory fsync after a flip", Mode: Lose, Flow: "install",
			About: "the journal says that a pointer has moved, and it may not have",
			File:  "platform/disk/link.go",
			Old:   "\t// returns, path is found with its old target or with the new one.\n\treturn SyncDir(filepath.Dir(path))\n",
			New:   "\treturn nil\n",
		},
		{
			Name: "no fsync of the download", Mode: Lose, Flow: "install",
			About: "the package has its final name before its bytes are on disk",
			File:  "steps/download/sink.go",
			Old:   "\tif err := s.f.Sync(); err != nil {\n",
			New:   "\tif err := error(nil); err != nil {\n",
		},
		{
			Name: "NoSync", Mode: Lose, Flow: "install",
			About: "the journal's own writes are not synced",
			File:  "journal/open.go",
			Old:   "\t\tNoStatistics:    true,\n",
			New:   "\t\tNoStatistics:    true,\n\t\tNoSync:          true,\n",
		},
		{
			Name: "outcome before effect", Mode: Kill, Flow: "rollback",
			About: "the journal says rolled back, and then the pointers go back",
			File:  "engine/work.go",
			Old:   "\tif err == nil {\n\t\tr.out, err = step.Do(ctx, t)\n",
			New: "\tif err == nil && j.state == RollingBack {\n\t\tgo func() {\n\t\t\ttime.Sleep(20 * time.Millisecond)\n" +
				"\t\t\t_, _ = step.Do(context.WithoutCancel(ctx), t)\n\t\t}()\n" +
				"\t} else if err == nil {\n\t\tr.out, err = step.Do(ctx, t)\n",
		},
		{
			Name: "unlink and symlink", Mode: Kill, Flow: "install",
			About: "for an instant there is no current",
			File:  "platform/disk/link.go",
			Old:   "\tif err := os.Rename(tmp, path); err != nil {\n\t\treturn errors.Join(fmt.Errorf(\"swap link",
			New:   "\t_ = os.Remove(path)\n\tif err := os.Rename(tmp, path); err != nil {\n\t\treturn errors.Join(fmt.Errorf(\"swap link",
		},
		{
			Name: "no marker", Mode: Kill, Flow: "install",
			About: "nothing tells that the current version is not committed, if the journal is lost",
			File:  "engine/work.go",
			Old:   "\tif err := w.versions.Mark(j.update.Before.Current); err != nil {\n",
			New:   "\tif err := error(nil); err != nil {\n",
		},
		{
			Name: "each recover spends", Mode: Kill, Flow: "install",
			About: "recovery is not idempotent: it counts itself, not boots",
			File:  "engine/decide.go",
			Old:   "\tcase o.By == Oneshot && (u.LastSpendBoot == o.Boot || u.EnteredBoot == o.Boot):\n",
			New:   "\tcase o.By == Oneshot && u.EnteredBoot == o.Boot:\n",
		},
		{
			Name: "an error ignored", Mode: Errno, Flow: "install",
			About: "a pointer that could not be moved counts as moved",
			File:  "platform/disk/link.go",
			Old:   "\t\treturn errors.Join(fmt.Errorf(\"swap link: %w\", err), os.Remove(tmp))\n",
			New:   "\t\treturn os.Remove(tmp)\n",
		},
		{
			Name: "what is found done is not synced", Mode: Killed, Flow: "install", From: "fsync versions #4",
			About: "the pointers that a killed process has set are in the cache only, and the journal says that they stand",
			File:  "steps/switchover/switchover.go",
			Old:   "\terr := s.cfg.Versions.Sync()\n",
			New:   "\terr := error(nil)\n",
		},
		{
			Name: "no fsync of the plan", Mode: Lose, Flow: "signed", From: "create work/UPDATE/plan.json #1",
			About: "the pieces of a native bundle are there, and what they are for may not be",
			File:  "steps/bundle/supply/plan.go",
			Old:   "disk.WriteFile(filepath.Join(workDir, bundle.PlanFile), data, 0o600)",
			New:   "os.WriteFile(filepath.Join(workDir, bundle.PlanFile), data, 0o600)",
		},
		{
			Name: "no fsync of what is lacking", Mode: Lose, Flow: "damaged", From: "create work/UPDATE/lacking.json #1",
			About: "the journal says to fetch what is damaged, and what that is may be lost",
			File:  "steps/bundle/supply/plan.go",
			Old:   "return disk.WriteFile(filepath.Join(workDir, bundle.LackingFile), data, 0o600)",
			New:   "return os.WriteFile(filepath.Join(workDir, bundle.LackingFile), data, 0o600)",
		},
	}
}
