"""What is said in the turn-taking bench: full spoken answers, as candidates think aloud.

`HELD_OUT` is measured on and never fitted to; `FITTING` is what the weights of `workbench.realtime.completeness` are
fitted on. The two share no sentence and no scenario. All were written for this bench. Most answers are one sentence of
several clauses; a full stop inside one gets no long pause put after it (that silence ends a turn by design).
"""

from __future__ import annotations

HELD_OUT: tuple[str, ...] = (
    "So the first thing I would do is make sure the airway is open, and then I would give oxygen, put in two "
    "large cannulas, and send blood for a cross match because she may be bleeding internally.",
    "The murmur is loudest at the apex and it radiates to the axilla, which makes me think of mitral "
    "regurgitation rather than, um, aortic stenosis.",
    "I would start with a twelve lead electrocardiogram, looking for ST elevation in the inferior leads, and I "
    "would also want a troponin at zero and three hours.",
    "Well, warfarin blocks the recycling of vitamin K, so the liver makes less of the clotting factors two, "
    "seven, nine and ten, and the effect takes, er, a couple of days.",
    "This man has a pulsatile mass in the abdomen and low blood pressure, so until it is proven otherwise I would "
    "treat this as a ruptured aneurysm and call the vascular surgeon.",
    "Type one diabetes is an autoimmune disease where the beta cells are destroyed, whereas in type two the "
    "tissues become resistant to insulin and the pancreas cannot keep up.",
    "I think the most likely diagnosis is a tension pneumothorax, because the trachea is pushed to the left and "
    "the breath sounds are absent on the right side.",
    "My plan would be to stop the penicillin, give adrenaline into the thigh, um, and lay him flat with his legs "
    "raised while we wait for the ambulance.",
    "The baby is four weeks old and vomits after every feed, so I would feel for an olive shaped lump and ask for "
    "an ultrasound of the pylorus.",
    "Before the operation I would check the consent form, the site that was marked, and the allergies, and after "
    "that I would ask everyone in the theatre to introduce themselves.",
    "The loop of Henle makes the medulla concentrated, and when antidiuretic hormone is present the collecting "
    "duct lets the water follow.",
    "In my view the contract was never formed, since the letter was only an invitation to negotiate, and the "
    "reply changed the price, so it was a counter offer.",
    "To prove negligence the claimant has to show a duty of care, a breach of that duty, and, er, that the breach "
    "caused a loss which was not too remote.",
    "If the left engine fails just after rotation I would keep straight with the rudder, pitch for the safe climb "
    "speed, and only then go through the checklist.",
    "The stall warning sounded because the angle of attack was too high, even though the airspeed looked normal, "
    "which happens when you pull hard in a steep turn.",
    "The beam fails in shear near the support, so I would put the stirrups closer together there, and I would "
    "check the anchorage of the bottom bars as well.",
    "When the thermostat sticks open the engine takes ages to get warm, you burn more fuel, and the heater blows, "
    "um, lukewarm air at best.",
    "I would ask the team what they think went wrong, write down the causes without blaming anyone, and agree on "
    "two changes that we can try before the next release.",
    "For this ulcer I would measure the length and the depth, take a swab if it smells, and choose a dressing "
    "that keeps the wound moist.",
    "You should not crush that tablet, because it is coated so that it dissolves in the bowel, and if you break "
    "the coating the drug irritates the stomach.",
    "The lower third molar is lying on its side against the second one, so I would take a panoramic film to see "
    "how close the root is to the nerve.",
    "Her potassium is six point eight and the T waves are tall, so I would give calcium first to protect the "
    "heart, then insulin with dextrose, and repeat the blood test.",
    "The pain came on suddenly and was the worst of his life, so even with a normal scan I would do a lumbar "
    "puncture after, um, twelve hours.",
    "He cannot lift his arm and his speech is slurred, and since it started only an hour ago he could still have "
    "thrombolysis if the scan shows no bleeding.",
    "I would explain to her that the biopsy shows a cancer, wait for her to take that in, and ask whether she "
    "would like her husband to come in.",
    "There are three causes I would think about, and those are a blocked catheter, an infection, and a drug that "
    "stops the bladder from emptying.",
    "The reason we give steroids before a preterm birth is that they help the lungs to mature, and they also "
    "lower the risk of bleeding in the brain.",
    "On examination I would expect a raised venous pressure, swollen ankles, and crackles at both bases, because "
    "the heart can no longer pump what comes back to it.",
    "I would not discharge him today, since he lives alone and has fallen twice this month, and we have not, you "
    "know, found out why.",
    "Asthma gets better when you give a bronchodilator, but in chronic obstructive disease the airflow stays "
    "limited, so spirometry before and after is the test I would ask for.",
    "The rash does not fade when I press a glass on it, and together with the stiff neck that tells me to give "
    "ceftriaxone straight away.",
    "Iron deficiency gives small pale cells and a low ferritin, whereas in chronic disease the ferritin is normal "
    "or even high because it rises with inflammation.",
    "I would want to know how long she has been losing weight, whether she sleeps badly, and if anybody in the "
    "family has had trouble with the thyroid.",
    "The safest way to move this patient is with a sliding sheet and four people, one of whom holds the head and "
    "gives the commands.",
    "First I would silence the alarm and look at the patient rather than the screen, and if he is pale or, er, "
    "confused I would call for help at once.",
    "The fracture goes through the growth plate and into the joint, so it has to be put back exactly, or the bone "
    "will grow crooked.",
    "Lithium has a narrow window between too little and too much, which is why we measure the level every three "
    "months and check the kidneys.",
    "The runway is wet and the wind is gusting from the right, so I would add a few knots to the approach speed "
    "and be ready to go around.",
    "A director must not profit from an opportunity that belongs to the company, unless the board has been told "
    "about it and has agreed.",
    "The brake pedal feels spongy because there is air in the line, so I would bleed the furthest wheel first and "
    "work my way back to the pump.",
    "Acetylcysteine works by restoring glutathione, and it is most useful in the first eight hours, but I would "
    "give it even later if the liver enzymes are climbing.",
    "He has jaundice without pain and a gall bladder that I can feel, so I worry about a tumour in the head of "
    "the pancreas and would arrange a scan this week.",
    "My differential would be appendicitis, an ectopic pregnancy, or a twisted ovary, and so the first test I "
    "need is a pregnancy test.",
    "With the drain in place I would look for bubbles and for swinging of the fluid, and I would never clamp it "
    "just because, um, it has stopped.",
    "The slope failed after the heavy rain since the water pressure in the pores went up, and with it the "
    "strength of the clay went down.",
    "Sepsis kills by the hour, so I would take the cultures, give broad antibiotics and fluids, and measure the "
    "lactate before I worry about the source.",
    "I would offer her the vaccine in the autumn, explain that it cannot give her the flu, and tell her that a "
    "sore arm for a day or two is normal.",
    "The seizure has lasted six minutes now, so I would give a benzodiazepine, check the sugar, and if it goes on "
    "I would give a second dose.",
)

FITTING: tuple[str, ...] = (
    "The patient looks dehydrated to me, so I would check the skin and the tongue, and then I would measure the "
    "urine output over the next few hours.",
    "Metformin lowers the sugar mostly by, um, reducing what the liver produces, and it does not usually cause "
    "weight gain.",
    "I would like to listen to the lungs first, because a wheeze would point to asthma and crackles would point "
    "to fluid.",
    "Gout is caused by crystals of uric acid in the joint, and the big toe is the place where it usually starts.",
    "The main side effects are a dry cough and a fall in blood pressure, which is why the first dose is taken at "
    "night.",
    "So you take the history, you examine the abdomen, and if there is guarding you, er, call the surgeon before "
    "you do anything else.",
    "It could be a migraine, but the fever worries me, and I would rather exclude meningitis before I send her home.",
    "Aspirin stops the platelets from sticking together, so it lowers the chance of another heart attack, "
    "although it can irritate the stomach.",
    "I would choose a beta blocker for the rate, and I would think about anticoagulation, depending on her stroke "
    "risk.",
    "The thyroid is under active, so the pituitary makes more of the stimulating hormone, and that is what we see "
    "in the blood test.",
    "I would tell the parents that a febrile convulsion looks terrible but is mostly harmless, and show them what "
    "to do if it happens again.",
    "The wound is dirty and it is more than six hours old, so I would clean it, leave it open, and, um, give a "
    "tetanus booster.",
    "If the potassium is low the heart becomes irritable, especially when the patient is on digoxin.",
    "Croup gives a barking cough and a harsh sound on breathing in, and it usually gets better with a single dose "
    "of dexamethasone.",
    "I would put the patient on their side, protect the head, and look at the clock, because five minutes is when "
    "I would start to treat.",
    "The kidney is the organ that keeps the acid out of the blood in the long run, while the lungs do it within "
    "minutes.",
    "A clot in the leg makes it swollen and warm, and the danger is that it travels to the lung.",
    "My first question would be whether the pain gets worse with exercise, and my second would be whether it goes "
    "away with rest.",
    "He drinks a bottle of wine every night, so I would expect withdrawal on the second day, and I would "
    "prescribe something for that.",
    "The eye is red and painful and the pupil is fixed, which means the pressure has to come down in the next hour.",
    "We use heparin in pregnancy because warfarin crosses the placenta and harms the baby.",
    "Anaemia makes people tired and short of breath, and in an older man I would always look for bleeding from "
    "the bowel.",
    "The tribunal will ask whether the employer acted reasonably, and whether, er, any fair procedure was "
    "followed at all.",
    "An offer can be withdrawn at any time before it is accepted, provided that the other party hears about it.",
    "The defendant owed no duty here, because the harm was not foreseeable and there was no relationship between them.",
    "You can only rely on self defence if the force was reasonable in the circumstances as you believed them to be.",
    "The tyre wears on the inside edge, so the toe is out, and I would put the car on the alignment rig.",
    "A turbocharger uses the exhaust gas to push more air into the cylinder, so you can burn more fuel in the "
    "same engine.",
    "When the battery light comes on I would look at the belt first, and then I would measure the voltage of the "
    "alternator.",
    "Concrete is strong in compression but weak in tension, and that is the reason why we put steel into it.",
    "The pump cavitates because the pressure at the inlet is too low, so I would raise the tank or, um, shorten "
    "the suction pipe.",
    "A bridge like this has to be able to expand in the summer, so one of the bearings is free to slide.",
    "In the cruise I would check the fuel every half hour, compare it with the plan, and turn back if it does not "
    "add up.",
    "Ice on the wing changes its shape, so the lift goes down, the drag goes up, and the stall comes earlier.",
    "I would tell the tower that we have smoke in the cabin, put on the masks, and land at the nearest field.",
    "A manager should praise in public and criticise in private, since people stop listening when they feel ashamed.",
    "The project is late because the scope grew every week, so I would freeze it and move the rest to the next phase.",
    "I would look at the margin before the volume, because selling more of a product that loses money does not help.",
    "The nurse should check the name, the drug, the dose, the route and the time, and then sign the chart.",
    "To prevent pressure sores I would turn him every two hours and keep the skin clean and dry.",
    "Hand hygiene is the single most effective measure, and it has to be done before and after every patient.",
    "I would warm the insulin in my hand, choose a new site on the belly, and hold the pen in for ten seconds.",
    "This antibiotic must not be taken with milk, as the calcium binds it and, er, very little is absorbed.",
    "The inhaler should be shaken first, and you breathe in slowly and hold your breath for as long as you can.",
    "Old people break down this medicine more slowly, so I would start with half the dose and go up after a week.",
    "Fluoride makes the enamel harder, so the acid from the bacteria dissolves less of it.",
    "The gum bleeds when you brush because there is plaque under the edge, not because you brush too hard.",
    "I would numb the tooth, take the decay out, and put a lining over the pulp before I fill it.",
    "The reflex is gone at the ankle and the outside of the foot is numb, so it is the first sacral root.",
    "Parkinson's disease gives a slow tremor at rest, stiffness, and, um, small steps when walking.",
    "The cartilage wears away over the years, the bone underneath gets thicker, and the joint becomes stiff in "
    "the morning.",
    "In this age group I would think of a slipped growth plate, because he limps and the pain is in the knee.",
    "The scan shows a large stone where the ureter meets the bladder, so he needs pain relief and probably a stent.",
    "Hepatitis B can be passed on by blood, by sex, and from the mother to the child at birth.",
    "A low sodium with a normal volume makes me think of inappropriate hormone release, often from a tumour in "
    "the lung.",
    "She needs a blood transfusion, but as she has refused it in writing I have to respect that and look for "
    "other ways.",
    "I would say sorry, explain what happened, and tell him what we will do so that it does not happen again.",
    "The pressure in the compartment cuts off the blood supply, so you have to open it within six hours.",
    "The red flags are weight loss, fever, pain at night, and weakness in the legs.",
    "The vaccine contains a harmless piece of the virus, and the immune system learns to recognise it.",
)

SENTENCE_PAIRS: tuple[str, ...] = (
    "The pain is typical of angina. I would arrange an exercise test and start him on aspirin.",
    "She is in shock. I would give two litres of fluid and look for the source of the bleeding.",
    "The valve is too narrow. That is why he faints when he climbs the stairs.",
    "I would not give a diuretic here. It would lower the preload even more.",
    "The landlord is in breach. The tenant may hold back the rent until the roof is repaired.",
    "The bearing has run dry. You can hear it howl as the wheel speeds up.",
)
"""Two sentences each, for the figure on pauses *between* sentences of one answer, which no bar is set for."""

SHORT: tuple[tuple[str, str], ...] = (
    ("Yes.", "consent"),
    ("Yes, I agree.", "consent"),
    ("I do consent to that.", "consent"),
    ("My name is Priya Nair.", "name"),
    ("Thomas Keller.", "name"),
    ("I am called Amina.", "name"),
    ("Cardiology, please.", "area"),
    ("I would like respiratory medicine.", "area"),
    ("Neurology.", "area"),
    ("Aspirin.", "answer"),
    ("A pulmonary embolism.", "answer"),
    ("I would give adrenaline.", "answer"),
    ("I don't know.", "answer"),
    ("Could you repeat the question, please?", "answer"),
    ("The left ventricle.", "answer"),
    ("I would order a chest x-ray.", "answer"),
)
"""Finished short turns with what was asked for."""
