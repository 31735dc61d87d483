package engine

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/journal"
	"github.com/tope/updater/platform/versions"
)

var updateGuides = flag.Bool("update", false, "write anew what these tests compare with: the tables of docs/RECOVERY.md and docs/zh/RECOVERY.md, and the transcripts")

// tongue has the words of one guide for its tables.
type tongue struct {
	path                    string
	found                   map[string]string
	head                    string
	fails, over, idle       string
	unmarks                 string
	nobody, damage, waits   string
	owedNote, attentionNote string
}

func tongues() []tongue {
	return []tongue{
		{
			path: "../docs/RECOVERY.md",
			head: "| cut in | what is found | `recover`, before the services start | services start from | then the daemon |\n| --- | --- | --- | --- | --- |\n",
			found: map[string]string{
				"no-update": "`current` → A, no update open", "current-lost": "`current` is missing", "current-damaged": "A is damaged",
				"current-previous-lost": "`current` and `previous` are missing", "journal-lost-before": "journal lost, marker → A, `current` → A",
				"journal-lost-after": "journal lost, marker → A, `current` → B", "as-before": "pointers as before", "moved-by-hand": "somebody moved `current`",
				"none-moved": "no pointer moved yet", "hook-owed": "no pointer moved yet; a hook or snapshot comes first", "previous-moved": "`previous` moved, `current` not yet",
				"both-moved": "both pointers moved", "current-gone": "`current` is missing", "current-old": "`current` → A still",
				"marker-renamed": "somebody renamed the marker over `current`", "new-damaged": "B is damaged", "new-old-damaged": "B and A are damaged",
				"budget-spent": "the state's budget of boots is spent", "excuses-spent": "the updater was stopped in order 21 times", "not-back": "no pointer moved back yet", "current-back": "`current` is back, `previous` not yet",
				"both-back": "both pointers are back", "old-damaged": "A is damaged", "current-factory": "`current` → F already", "no-factory": "there is no factory version",
				"third-version": "`current` → X, which this update never set", "cleanup-left": "the update is over, its clean-up is not done",
			},
			fails: "; failing: ", over: "finishes the clean-up", idle: "nothing to do", unmarks: "starts what does not run; removes the marker", nobody: "none", damage: " (damaged)",
			waits: "waits for the install request, or goes on: ", owedNote: "a new update, *recovered*: ",
			attentionNote: "NeedsAttention: services stay started, the API is up",
		},
		{
			path: "../docs/zh/RECOVERY.md",
			head: "| 断电时的状态 | 现场 | `recover`（服务启动之前） | 服务从哪个版本启动 | 随后守护进程 |\n| --- | --- | --- | --- | --- |\n",
			found: map[string]string{
				"no-update": "`current` → A，没有进行中的更新", "current-lost": "`current` 丢失", "current-damaged": "A 已损坏",
				"current-previous-lost": "`current` 和 `previous` 都丢失", "journal-lost-before": "日志库丢失，标记 → A，`current` → A",
				"journal-lost-after": "日志库丢失，标记 → A，`current` → B", "as-before": "指针未变", "moved-by-hand": "有人手动改了 `current`",
				"none-moved": "两个指针都未切换", "hook-owed": "两个指针都未切换，还须先执行钩子或快照", "previous-moved": "`previous` 已切换，`current` 未切换",
				"both-moved": "两个指针都已切换", "current-gone": "`current` 丢失", "current-old": "`current` 仍 → A",
				"marker-renamed": "有人用标记覆盖了 `current`", "new-damaged": "B 已损坏", "new-old-damaged": "B 和 A 都已损坏",
				"budget-spent": "该状态的启动次数预算已用完", "excuses-spent": "更新器已正常停止 21 次", "not-back": "两个指针都未退回", "current-back": "`current` 已退回，`previous` 未退回",
				"both-back": "两个指针都已退回", "old-damaged": "A 已损坏", "current-factory": "`current` 已 → F", "no-factory": "没有出厂版本",
				"third-version": "`current` → X，本次更新从未设置过它", "cleanup-left": "更新已结束，清理未完成",
			},
			fails: "；失败则：", over: "完成清理", idle: "无事可做", unmarks: "启动未运行的服务，删除标记", nobody: "无", damage: "（已损坏）",
			waits: "等待安装请求，或继续：", owedNote: "新建一次 *recovered* 更新：",
			attentionNote: "NeedsAttention：服务保持启动，API 可用",
		},
	}
}

// then is the text of the daemon's cell.
func (g tongue) then(r rehearsal) string {
	u := r.open
	switch s := r.state; {
	case s == Idle && r.unmarked:
		return g.unmarks
	case s == Idle:
		return g.idle
	case s == NeedsAttention:
		return g.attentionNote
	case Terminal(s):
		return g.over + " (" + string(s) + ")"
	default:
		way, failing := ahead(s, u)
		var names []string
		for i, w := range way {
			switch {
			case i == 1 && len(way) > 4:
				names = append(names, "…")
			case i == 0 || i == len(way)-1 || len(way) <= 4:
				names = append(names, string(w))
			}
		}
		text := strings.Join(names, " → ") + g.fails + string(failing)
		if s == Ready {
			text = g.waits + text
		}
		if u.Kind == "recovered" {
			text = g.owedNote + text
		}
		return text
	}
}

func (g tongue) row(s State, name string, r rehearsal) string {
	from := letter(r.boots)
	switch {
	case r.boots == "":
		from = g.nobody
	case !r.see.States[r.boots].Usable():
		from += g.damage
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s |\n", s, g.found[name], r.recoverSaid(), from, g.then(r))
}

// table has the situations that a cut alone leads to, or those that need more.
func (g tongue) table(t *testing.T, plain bool) string {
	var b strings.Builder
	b.WriteString(g.head)
	for _, s := range append([]State{Idle}, States()...) {
		met := false
		for _, x := range situations() {
			if !x.in(s) {
				continue
			}
			met = true
			if x.plain != plain {
				continue
			}
			require.NotEmpty(t, g.found[x.name], "%s has no words for %q", g.path, x.name)
			b.WriteString(g.row(s, x.name, rehearse(begin(s, x))))
		}
		require.True(t, met, "%s is in no situation", s)
	}
	return b.String()
}

func begin(s State, x situation) (*journal.Update, Observation, int) {
	o := seenAt(Oneshot, old, prev)
	o.States["9.9.9"] = versions.Complete
	u := openIn(s)
	u.Terminal = Terminal(s)
	if s == Idle {
		u = nil
	}
	x.edit(u, &o)
	return u, o, 2
}

// The tables of the recovery guides are the code's.
func TestRecoveryGuidesAreFresh(t *testing.T) {
	for _, g := range tongues() {
		text, err := os.ReadFile(g.path)
		require.NoError(t, err)
		fresh := string(text)
		for name, plain := range map[string]bool{"cuts": true, "damage": false} {
			begin, end := "<!-- "+name+": made by go test ./engine -run RecoveryGuides -update -->\n", "<!-- end of "+name+" -->"
			before, rest, ok := strings.Cut(fresh, begin)
			require.True(t, ok, "%s has no place for the table %s", g.path, name)
			_, after, ok := strings.Cut(rest, end)
			require.True(t, ok, "%s: the table %s has no end", g.path, name)
			fresh = before + begin + g.table(t, plain) + end + after
		}
		if *updateGuides {
			require.NoError(t, os.WriteFile(g.path, []byte(fresh), 0o644))
			continue
		}
		require.Equal(t, string(text), fresh, "%s is stale: go test ./engine -run RecoveryGuides -update", g.path)
	}
}

// After a cut alone, without other damage, the services start from a whole version.
func TestACutAloneLeavesAWholeVersion(t *testing.T) {
	for _, s := range append([]State{Idle}, States()...) {
		for _, x := range situations() {
			if !x.in(s) || !x.plain {
				continue
			}
			r := rehearse(begin(s, x))
			require.True(t, r.see.usable(r.boots), "%s, %s: services start from %q", s, x.name, r.boots)
		}
	}
}
