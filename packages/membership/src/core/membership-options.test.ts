import { describe, expect, it } from 'vitest';
import { defaultMembershipSettings, membershipProfiles, resolveMembershipSettings } from './membership-options.js';

describe('settings', () => {
  it('are heartbeats of 5 s, suspicion at 10 s and down at 15 s where nothing is said', () => {
    const { heartbeatMs, suspectAfterMs, downAfterMs, observers, gossipFanOut } = resolveMembershipSettings();
    expect([heartbeatMs, suspectAfterMs, downAfterMs, observers, gossipFanOut]).toEqual([5_000, 10_000, 15_000, 10, 3]);
  });

  it.each(Object.keys(membershipProfiles) as (keyof typeof membershipProfiles)[])(
    'of the profile %s fit together',
    (profile) => {
      expect(() => resolveMembershipSettings({ profile })).not.toThrow();
    },
  );

  it('of a profile can be changed one by one', () => {
    const settings = resolveMembershipSettings({ profile: 'local', observers: 4 });
    expect([settings.observers, settings.heartbeatMs]).toEqual([4, 1_000]);
    expect(defaultMembershipSettings.observers).toBe(10);
  });

  it('that would accuse at the first lost message are refused', () => {
    expect(() => resolveMembershipSettings({ probeAfterMs: 5_000 })).toThrow(
      /probeAfterMs is 5000; it is more than heartbeatMs/,
    );
    expect(() => resolveMembershipSettings({ accuseAfterMs: 8_000 })).toThrow(/accuseAfterMs is 8000/);
    expect(() => resolveMembershipSettings({ suspectAfterMs: 9_000 })).toThrow(RangeError);
    expect(() => resolveMembershipSettings({ downAfterMs: 10_000 })).toThrow(RangeError);
    expect(() => resolveMembershipSettings({ gossipFanOut: 0 })).toThrow(/gossipFanOut is 0/);
  });
});
