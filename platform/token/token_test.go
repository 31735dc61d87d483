package token

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var now = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

func store(t *testing.T) Store { return Store{Path: filepath.Join(t.TempDir(), FileName)} }

func TestATokenIsGoodUntilItExpiresOrIsRevoked(t *testing.T) {
	s := store(t)
	text, err := s.Create(Token{Name: "ci", Scopes: []Scope{Install}, Created: now, Expires: now.Add(time.Hour)})
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(text.Reveal(), Prefix))
	require.Len(t, text.Reveal(), len(Prefix)+43, "256 bits")

	found, err := s.Check(text.Reveal(), now.Add(time.Hour-time.Second))
	require.NoError(t, err)
	require.Equal(t, "ci", found.Name)
	require.Equal(t, []Scope{Install}, found.Scopes)
	_, err = s.Check(text.Reveal(), now.Add(time.Hour))
	require.ErrorIs(t, err, ErrExpired)
	for _, wrong := range []string{"", Prefix, text.Reveal() + "x", text.Reveal()[1:], found.SHA256} {
		_, err = s.Check(wrong, now)
		require.ErrorIs(t, err, ErrUnknown, wrong)
	}

	gone, err := s.Revoke("ci")
	require.NoError(t, err)
	require.Equal(t, found, gone)
	_, err = s.Check(text.Reveal(), now)
	require.ErrorIs(t, err, ErrUnknown, "at once")
	_, err = s.Revoke("ci")
	require.ErrorIs(t, err, ErrUnknown)
}

// TestTheFileHasNoToken: who reads the file cannot use what is in it, and only root can.
func TestTheFileHasNoToken(t *testing.T) {
	s := store(t)
	text, err := s.Create(Token{Name: "ci", Scopes: Scopes(), Created: now})
	require.NoError(t, err)
	kept, err := os.ReadFile(s.Path)
	require.NoError(t, err)
	require.NotContains(t, string(kept), text.Reveal())
	require.NotContains(t, string(kept), strings.TrimPrefix(text.Reveal(), Prefix))
	info, err := os.Stat(s.Path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
	all, err := s.List()
	require.NoError(t, err)
	said, err := json.Marshal(all)
	require.NoError(t, err)
	require.NotContains(t, string(said), text.Reveal())
}

func TestTokensThatCannotBeMade(t *testing.T) {
	s := store(t)
	for _, name := range []string{"", ".hidden", "a b", "a\nb", "ä", "../x", strings.Repeat("x", 65), "-rf"} {
		_, err := s.Create(Token{Name: name, Scopes: Scopes(), Created: now})
		require.ErrorIs(t, err, ErrInvalid, name)
	}
	require.NoFileExists(t, s.Path)
	_, err := s.Create(Token{Name: "ci", Scopes: Scopes(), Created: now})
	require.NoError(t, err)
	_, err = s.Create(Token{Name: "ci", Scopes: Scopes(), Created: now})
	require.ErrorContains(t, err, "revoke it first")
	for i := 1; i < MaxTokens; i++ {
		_, err = s.Create(Token{Name: strings.Repeat("x", 62) + string(rune('0'+i/10)) + string(rune('0'+i%10)), Scopes: Scopes(), Created: now, Expires: now})
		require.NoError(t, err)
	}
	_, err = s.Create(Token{Name: "one-more", Scopes: Scopes(), Created: now})
	require.ErrorContains(t, err, "the most there may be")
	all, err := s.List()
	require.NoError(t, err, "the longest file that can come about can be read")
	require.Len(t, all, MaxTokens)
}

func TestAFileThatCannotBeUsedGivesNobodyRights(t *testing.T) {
	s := store(t)
	text, err := s.Create(Token{Name: "ci", Scopes: Scopes(), Created: now})
	require.NoError(t, err)
	good, err := os.ReadFile(s.Path)
	require.NoError(t, err)
	for name, bad := range map[string]string{
		"cut":              string(good[:len(good)/2]),
		"empty":            "",
		"a limit of later": strings.Replace(string(good), `"name"`, `"only_from": "10.0.0.1", "name"`, 1),
		"a later format":   strings.Replace(string(good), `"schema": 1`, `"schema": 2`, 1),
		"a later scope":    strings.Replace(string(good), `"operate"`, `"reboot"`, 1),
		"two":              string(good) + string(good),
		"too long":         string(good) + strings.Repeat(" ", maxFile),
	} {
		require.NoError(t, os.WriteFile(s.Path, []byte(bad), 0o600))
		_, err = s.Check(text.Reveal(), now)
		require.ErrorIs(t, err, ErrUnreadable, name)
		_, err = s.Create(Token{Name: "other", Scopes: Scopes(), Created: now})
		require.ErrorIs(t, err, ErrUnreadable, name)
		kept, err := os.ReadFile(s.Path)
		require.NoError(t, err)
		require.Equal(t, bad, string(kept), "what cannot be read is not overwritten")
	}
}

// TestTokensMadeAtOnce: none of them is lost.
func TestTokensMadeAtOnce(t *testing.T) {
	s := store(t)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			_, err := s.Create(Token{Name: "t" + string(rune('a'+i)), Scopes: Scopes(), Created: now})
			require.NoError(t, err)
		})
	}
	wg.Wait()
	all, err := s.List()
	require.NoError(t, err)
	require.Len(t, all, 20)
}

func TestExpiry(t *testing.T) {
	for text, want := range map[string]time.Time{
		"never": {}, "90d": now.Add(90 * 24 * time.Hour), "36h": now.Add(36 * time.Hour),
		"2027-01-31T12:00:00+01:00": time.Date(2027, 1, 31, 11, 0, 0, 0, time.UTC),
	} {
		got, err := ParseExpiry(text, now)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "0d", "-1d", "1.5d", "1dd", "soon", "-1h", "0s", "2026-11-30T12:00:00Z", "1970-01-01T00:00:00Z", "999999999d", "2027-01-31"} {
		_, err := ParseExpiry(text, now)
		require.ErrorIs(t, err, ErrInvalid, text)
	}
}

func TestScopes(t *testing.T) {
	got, err := ParseScopes([]string{"operate", "read", "read"})
	require.NoError(t, err)
	require.Equal(t, []Scope{Read, Operate}, got)
	// Who names none is told what there is, and what each may do.
	for _, none := range [][]string{nil, {""}} {
		_, err := ParseScopes(none)
		require.ErrorIs(t, err, ErrInvalid)
		for _, s := range Scopes() {
			require.ErrorContains(t, err, string(s)+" (")
		}
	}
	for _, bad := range [][]string{{"root"}, {"read", "Install"}} {
		_, err := ParseScopes(bad)
		require.ErrorIs(t, err, ErrInvalid)
	}
}

// FuzzFile: whatever the file has, it is refused, or is a list of tokens that a Store can
// write and read again.
func FuzzFile(f *testing.F) {
	good, err := json.Marshal(contents{schema, []Token{{Name: "ci", Scopes: Scopes(), Created: now, Expires: now, SHA256: digest("x")}}})
	require.NoError(f, err)
	for _, seed := range []string{
		string(good), `{"schema":1}`, `{"schema":1,"tokens":null}`, `{"schema":1,"tokens":[{}]}`, `[]`, `{"Schema":1,"tokens":[]}`,
		strings.Replace(string(good), "2026", "99999", 1), strings.Replace(string(good), "ci", `ci\u0000`, 1),
		`{"schema":1,"tokens":[{"name":"a","scopes":["read","read"],"sha256":"` + digest("") + `"}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		all, err := parse(text)
		if err != nil {
			return
		}
		require.LessOrEqual(t, len(all), MaxTokens)
		for _, tok := range all {
			require.NoError(t, ValidName(tok.Name))
			require.Len(t, tok.SHA256, 64)
		}
		again, err := json.Marshal(contents{schema, all})
		require.NoError(t, err)
		same, err := parse(again)
		require.NoError(t, err)
		require.Equal(t, len(all), len(same))
		for i := range all {
			require.True(t, all[i].Created.Equal(same[i].Created))
			require.Equal(t, all[i].Scopes, same[i].Scopes)
		}
	})
}
