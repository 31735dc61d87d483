package config_test

import (
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tope/updater/cmd/internal/config"
	"github.com/tope/updater/platform/health"
)

// manuals are the pages that describe each key, one in each language.
func manuals() []string {
	return []string{"../../../docs/configuration.md", "../../../docs/zh/configuration.md"}
}

// documented are the rows of a manual: key to default, by table.
func documented(t *testing.T, manual string) map[string]map[string]string {
	t.Helper()
	text, err := os.ReadFile(manual)
	require.NoError(t, err)
	tables := map[string]map[string]string{}
	table := ""
	line := regexp.MustCompile("(?m)^## `\\[+([a-z_.]+)\\]+`$|^\\| `([a-z_]+)` \\| (.+?) \\| .+ \\|$")
	for _, m := range line.FindAllStringSubmatch(string(text), -1) {
		if m[1] != "" {
			table = m[1]
			tables[table] = map[string]string{}
			continue
		}
		tables[table][m[2]] = m[3]
	}
	return tables
}

// inFile are the keys of the file, by table, with their values in c.
func inFile(table string, v reflect.Value, tables map[string]map[string]any) {
	if table != "" {
		tables[table] = map[string]any{}
	}
	for i := range v.NumField() {
		key, inner := v.Type().Field(i).Tag.Get("toml"), v.Field(i)
		if key == "-" {
			continue
		}
		if inner.Kind() == reflect.Slice && inner.Type().Elem().Kind() == reflect.Struct {
			inner = reflect.New(inner.Type().Elem()).Elem() // its defaults depend on its name
		}
		if table != "" {
			tables[table][key] = v.Field(i).Interface()
		}
		if inner.Kind() == reflect.Struct {
			name := key
			if table != "" {
				name = table + "." + key
			}
			inFile(name, inner, tables)
		}
	}
}

// The manual is all that most operators read, so every key is in it.
func TestTheManualHasEveryKey(t *testing.T) {
	want := map[string]map[string]any{}
	inFile("", reflect.ValueOf(config.Default()), want)
	for _, manual := range manuals() {
		have := documented(t, manual)
		for table, keys := range want {
			for key := range keys {
				require.Contains(t, have[table], key, "[%s] in %s", table, manual)
			}
			require.Len(t, have[table], len(keys), "[%s] in %s has keys that there are not", table, manual)
		}
		require.Len(t, have, len(want))
	}
}

// The manual has each kind of health check.
func TestTheManualHasEveryKindOfCheck(t *testing.T) {
	for _, manual := range manuals() {
		text, err := os.ReadFile(manual)
		require.NoError(t, err)
		for _, k := range health.Kinds() {
			require.True(t, regexp.MustCompile("`"+string(k)+"`[:：]").Match(text), "%s does not tell of the kind `%s`", manual, k)
		}
	}
}

// For tables that occur once, the defaults are compared as well.
func TestTheManualHasTheDefaults(t *testing.T) {
	want := map[string]map[string]any{}
	inFile("", reflect.ValueOf(config.Default()), want)
	for _, manual := range manuals() {
		have := documented(t, manual)
		for table, keys := range want {
			for key, value := range keys {
				if table == "service" || table == "service.health" || table == "download.server" || table == "fleet.window" {
					continue
				}
				require.Equal(t, "`"+written(t, value)+"`", have[table][key], "%s.%s in %s", table, key, manual)
			}
		}
	}
}

// written is a value as TOML writes it, which for these kinds is as JSON writes it.
func written(t *testing.T, v any) string {
	t.Helper()
	if reflect.ValueOf(v).Kind() == reflect.Slice && reflect.ValueOf(v).Len() == 0 {
		return "[]"
	}
	if reflect.ValueOf(v).Kind() == reflect.Map && reflect.ValueOf(v).Len() == 0 {
		return "{}"
	}
	if d, ok := v.(config.Duration); ok {
		v = strings.TrimSuffix(time.Duration(d).String(), "0m0s")
	}
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return string(b)
}

// What the guides to a fleet show of a configuration is taken by a device.
func TestTheExamplesOfTheFleetsGuidesAreGood(t *testing.T) {
	block := regexp.MustCompile("(?ms)^```toml\n(.*?)^```$")
	for _, page := range []string{"fleet.md", "fleet-channel.md", "fleet-hawkbit.md"} {
		var blocks [2][]string
		for i, dir := range []string{"../../../docs/", "../../../docs/zh/"} {
			text, err := os.ReadFile(dir + page)
			require.NoError(t, err)
			for _, m := range block.FindAllStringSubmatch(string(text), -1) {
				blocks[i] = append(blocks[i], m[1])
			}
		}
		require.Equal(t, blocks[0], blocks[1], page)
		tried := 0
		for _, example := range blocks[0] {
			if !strings.Contains(example, "[fleet]") {
				continue // of a release, or a line of a table
			}
			c, err := config.Parse([]byte(example))
			require.NoError(t, err, "%s:\n%s", page, example)
			require.True(t, c.Fleet.Asks(), "%s:\n%s", page, example)
			tried++
		}
		require.NotZero(t, tried, page)
	}
}
