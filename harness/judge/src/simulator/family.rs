//! The families of behaviour.

use std::fmt;

macro_rules! families {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)+) => {
        /// How the memory of a simulated service behaves.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Family { $($(#[$doc])* $variant,)+ }

        impl Family {
            /// As it stands in tables.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

families! {
    /// White noise.
    White = "white noise",
    /// Noise that forgets within a minute.
    ShortMemory = "AR short",
    /// Noise that forgets within minutes.
    LongMemory = "AR long",
    /// A live set that wanders like a random walk.
    Wandering = "near-random-walk",
    /// An allocator that gives nothing back.
    Ratchet = "ratchet",
    /// One to three exponential warm-ups.
    WarmUp = "warm-up",
    /// An exponential warm-up of a sixth to half of the run.
    SlowWarmUp = "warm-up slow",
    /// Logarithmic creep.
    Creep = "log creep",
    /// A cache that fills and is full.
    CappedCache = "capped cache",
    /// A sawtooth: batches, garbage collection.
    Sawtooth = "sawtooth",
    /// Load like a day, and memory that follows it.
    Diurnal = "diurnal",
    /// Load peaks.
    Spikes = "spikes",
    /// A container that doubles until it holds all.
    EarlySteps = "early steps",
    /// Memory given back at once, in the middle.
    Purge = "purge",
    /// Several arenas, each with a high-water mark of its own under heavy-tailed bursts.
    ArenaRatchet = "arena ratchet",
    /// A load generator that starves and catches up.
    Stalls = "stalls",
    /// A cache of keys of Zipf popularity: fills over decades of rates.
    ZipfCache = "zipf cache",

    /// A leak per request.
    LeakLinear = "linear",
    /// A leak behind warm-ups.
    LeakWarmUp = "with warm-up",
    /// A leak under a sawtooth.
    LeakSawtooth = "with sawtooth",
    /// A leak under a load like a day.
    LeakDiurnal = "diurnal traffic",
    /// A leak under noise with a long memory.
    LeakNoisy = "strong AR noise",
    /// A leak per second.
    LeakTime = "per time",
    /// A leak that starts late.
    LeakLate = "starts late",
    /// A leak in bursts.
    LeakBursty = "bursty",
    /// A leak that first fills a retained arena.
    LeakArena = "hidden in arena",
    /// A container that doubles for ever.
    LeakDoubling = "doubling container",
    /// A leak under an allocator that gives nothing back.
    LeakRatchet = "under ratchet",
    /// Four to eight big steps.
    LeakSteps = "rare big steps",
    /// A leak under a starving load generator.
    LeakStalls = "generator stalls",

    /// A load that ramps up within 10 s and stays. Beyond the reference.
    Ramp = "ramp",
    /// Several steady phases of different rates. Beyond the reference.
    Levels = "levels",
    /// No load at the end. Beyond the reference.
    IdleEnd = "idle at the end",
    /// No load for a while in the middle. Beyond the reference.
    IdleMiddle = "idle in the middle",
    /// A closed loop: the rate follows how fast the service answers. Beyond the reference.
    ClosedLoop = "closed loop",
    /// A worker that is replaced by a fresh one. Beyond the reference.
    Replaced = "worker replaced",
    /// A warm-up of minutes with logarithmic creep. Beyond the reference.
    WarmCreep = "warm-up and creep",
    /// A leak under [`Self::Ramp`].
    LeakRamp = "leak with ramp",
    /// A leak under [`Self::Levels`].
    LeakLevels = "leak with levels",
    /// A leak under [`Self::Spikes`].
    LeakSpikes = "leak with spikes",
    /// A leak and [`Self::IdleEnd`].
    LeakIdleEnd = "leak with idle end",
    /// A leak and [`Self::IdleMiddle`].
    LeakIdleMiddle = "leak with idle middle",
    /// A leak under [`Self::ClosedLoop`].
    LeakClosedLoop = "leak with closed loop",
    /// A leak and [`Self::Replaced`].
    LeakReplaced = "leak with replaced",
    /// A leak behind a warm-up with a time constant of a minute.
    LeakWarmMinute = "leak with warm-up 60 s",

    /// A cache that fills at one rate to a hard cap, and whose heap creeps on, ever more slowly, while it evicts and
    /// inserts. Beyond the reference.
    HardCap = "hard cap and churn",
    /// High-water marks of an allocator that jump twice, the second time about twice as far and as late. Beyond the
    /// reference.
    MarksJump = "marks that jump twice",
    /// A leak behind a cache that fills to a hard cap, without churn. Beyond the reference.
    LeakHardCap = "leak with hard cap",
}

use Family::{
    ArenaRatchet, CappedCache, ClosedLoop, Creep, Diurnal, EarlySteps, HardCap, IdleEnd, IdleMiddle, LeakArena,
    LeakBursty, LeakClosedLoop, LeakDiurnal, LeakDoubling, LeakHardCap, LeakIdleEnd, LeakIdleMiddle, LeakLate,
    LeakLevels, LeakLinear, LeakNoisy, LeakRamp, LeakRatchet, LeakReplaced, LeakSawtooth, LeakSpikes, LeakStalls,
    LeakSteps, LeakTime, LeakWarmMinute, LeakWarmUp, Levels, LongMemory, MarksJump, Purge, Ramp, Ratchet, Replaced,
    Sawtooth, ShortMemory, SlowWarmUp, Spikes, Stalls, Wandering, WarmCreep, WarmUp, White, ZipfCache,
};

/// The 17 families of the reference that do not leak.
pub const CALM: [Family; 17] = [
    White,
    ShortMemory,
    LongMemory,
    Wandering,
    Ratchet,
    WarmUp,
    SlowWarmUp,
    Creep,
    CappedCache,
    Sawtooth,
    Diurnal,
    Spikes,
    EarlySteps,
    Purge,
    ArenaRatchet,
    Stalls,
    ZipfCache,
];

/// The 13 families of the reference that leak.
pub const LEAKING: [Family; 13] = [
    LeakLinear,
    LeakWarmUp,
    LeakSawtooth,
    LeakDiurnal,
    LeakNoisy,
    LeakTime,
    LeakLate,
    LeakBursty,
    LeakArena,
    LeakDoubling,
    LeakRatchet,
    LeakSteps,
    LeakStalls,
];

/// Families beyond the reference that do not leak.
pub const EXTRA_CALM: [Family; 9] =
    [Ramp, Levels, IdleEnd, IdleMiddle, ClosedLoop, Replaced, WarmCreep, HardCap, MarksJump];

/// Families beyond the reference that leak.
pub const EXTRA_LEAKING: [Family; 9] = [
    LeakRamp,
    LeakLevels,
    LeakSpikes,
    LeakIdleEnd,
    LeakIdleMiddle,
    LeakClosedLoop,
    LeakReplaced,
    LeakWarmMinute,
    LeakHardCap,
];

impl Family {
    /// Whether it leaks.
    #[must_use]
    pub fn is_leaking(self) -> bool {
        LEAKING.contains(&self) || EXTRA_LEAKING.contains(&self)
    }

    /// Whether growth comes in steps, so that there is no slope to speak of.
    #[must_use]
    pub const fn has_steps(self) -> bool {
        matches!(self, LeakDoubling | LeakSteps)
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
