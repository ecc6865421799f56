"""Which joints a landmark track holds, by layout."""

ARM = ("shoulder", "elbow", "wrist", "pinky", "index", "thumb")
LEG = ("hip", "knee", "ankle", "heel", "foot index")
BODY33 = (
    "nose",
    *("left eye inner", "left eye", "left eye outer", "right eye inner", "right eye", "right eye outer"),
    *("left ear", "right ear", "mouth left", "mouth right"),
    *(
        f"{side} {joint}"
        for joint in ("shoulder", "elbow", "wrist", "pinky", "index", "thumb")
        for side in ("left", "right")
    ),
    *(f"{side} {joint}" for joint in ("hip", "knee", "ankle", "heel", "foot index") for side in ("left", "right")),
)
FINGERS = ("thumb", "index finger", "middle finger", "ring finger", "little finger")
HAND21 = ("wrist", *(f"{finger} {number}" for finger in FINGERS for number in (1, 2, 3, 4)))  # 4 is the tip
HANDS = tuple(f"{side} hand {name}" for side in ("left", "right") for name in HAND21)

# Name -> the joints, in order. "left" is the person's own left.
LAYOUTS: dict[str, tuple[str, ...]] = {
    "mediapipe75": BODY33 + HANDS,  # 33 pose points, 21 of the left hand, 21 of the right, as MediaPipe orders them
}
